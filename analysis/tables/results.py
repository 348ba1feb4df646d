"""The result table, as strings and with all its digits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, NamedTuple

from analysis.formatting import NONE, corrected_p, estimate_text, picks_text
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.results import ResultRow, result_table
from analysis.measures.timescale import TIMESCALE_TEXT
from analysis.measures.with_searches import WithSearches
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Comparison, Estimate
from analysis.tables.spec import Table
from analysis.wording import baseline_text, correction_text, data_label, notes
from tune_reg.store import Decision


@dataclass(frozen=True)
class TextRow:
    """One row of the result table as strings; accuracies in percent, differences in percentage points.

    ``test_accuracy`` and the differences are of the metric of the study, in its unit.
    """

    data: str
    regularizer: str
    params: str
    runs: str
    test_accuracy: str
    difference: str
    with_searches: str
    p: str
    notes: str
    gap: str
    max_over_epochs: str
    mean_last_10pct: str


#: Headings of ``TextRow``, in its order.
HEADINGS: Final = {
    "data": "Training data",
    "regularizer": "Regularizer",
    "params": "Winning hyperparameters",
    "runs": "Runs",
    "test_accuracy": "Test accuracy, %",
    "difference": "Difference to baseline, points",
    "with_searches": "With the luck of both searches, points",
    "p": "p (Holm, within its family)",
    "notes": "Notes",
    "gap": "Generalization gap, points",
    "max_over_epochs": "Papers' max over epochs, %",
    "mean_last_10pct": "Papers' mean of last 10 % of epochs, %",
}


class ResultNumbers(NamedTuple):
    """One row of the result table as it stands in its CSV; shares in [0, 1], not percent."""

    fraction: float
    search_fraction: float
    images_per_class: int | None
    search_images_per_class: int | None
    regularizer: str
    is_baseline: bool
    n_train: int | None
    runs: int
    diverged: int
    failed: int
    test_accuracy: Estimate | None
    difference: Comparison | None
    with_searches: WithSearches | None
    primary: bool | None
    decision: Decision | None
    may_be_claimed: bool | None
    generalization_gap: Estimate | None
    max_over_epochs: Estimate | None
    mean_last_10pct: Estimate | None
    params: str  # JSON
    timescale_epochs: str  # of the weight decay of each of ``params``
    edges: str


def result_rows(source: Source) -> list[TextRow]:
    """The result table as strings, row by row as in ``result_table``.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> result_rows(Results(Path("nowhere")))
    []
    """
    data = snapshot(source)
    return [text_row(data, row) for row in result_table(data)]


def result_headings(source: Source) -> dict[str, str]:
    """``HEADINGS`` of a study, in the words and the unit of its metric."""
    text = metric_text(snapshot(source))
    return HEADINGS | {
        "test_accuracy": text.heading("Test"),
        "difference": text.of_difference("Difference to baseline"),
        "with_searches": text.of_difference("With the luck of both searches"),
    }


def text_row(data: Snapshot, row: ResultRow) -> TextRow:
    """A row of the result table as strings."""
    text = metric_text(data)
    return TextRow(
        data=data_label(row),
        regularizer=f"{row.regularizer} (baseline)" if row.is_baseline else row.regularizer,
        runs=str(row.runs),
        test_accuracy=text.estimate(row.test_accuracy),
        difference="baseline" if row.is_baseline else text.estimate(row.difference, signed=True),
        with_searches=_with_searches(data, row),
        p="" if row.is_baseline else corrected_p(row.difference),
        gap=_of_accuracies(data, row.generalization_gap, signed=True),
        max_over_epochs=_of_accuracies(data, row.max_over_epochs),
        mean_last_10pct=_of_accuracies(data, row.mean_last_10pct),
        params=picks_text(row.params, row.timescales) or NONE,
        notes="; ".join(notes(row)),
    )


def _of_accuracies(data: Snapshot, value: Estimate | None, *, signed: bool = False) -> str:
    """A number of accuracies; nothing where the study is judged by another metric."""
    return estimate_text(value, signed=signed) if data.metric.is_accuracy else ""


def _with_searches(data: Snapshot, row: ResultRow) -> str:
    """The difference of the methods at their best; nothing where no model of the search knows it."""
    luck = None if row.comparison is None else row.comparison.with_searches
    return "" if luck is None else metric_text(data).interval(luck.mean, luck.low, luck.high, signed=True)


def result_numbers(data: Snapshot, row: ResultRow) -> ResultNumbers:
    """A row of the result table with all its digits."""
    given = {name: getattr(row, name) for name in ResultNumbers._fields if hasattr(row, name)}
    compared = row.comparison
    return ResultNumbers(
        **{name: value for name, value in given.items() if name not in ("params", "edges")},
        with_searches=None if compared is None else compared.with_searches,
        primary=None if compared is None else compared.primary,
        decision=None if compared is None else compared.decision,
        may_be_claimed=None if compared is None else may_be_claimed(data, compared),
        params="; ".join(json.dumps(values, sort_keys=True) for values in row.params),
        timescale_epochs="; ".join(str(each) for each in row.timescales if each is not None),
        edges="; ".join(f"{name} {side}" for name, side in sorted(row.edges.items())),
    )


def results_table(data: Snapshot) -> Table:
    """The result table without the columns in which nothing stands (no notes, say): these only take room."""
    rows = result_table(data)
    texts, words = [text_row(data, row) for row in rows], result_headings(data)
    columns = [column for column in HEADINGS if any(getattr(text, column) for text in texts)]
    return Table(
        tuple(words[column] for column in columns),
        tuple(tuple(getattr(text, column) for column in columns) for text in texts),
        tuple(result_numbers(data, row) for row in rows),
    )


def results_caption(data: Snapshot) -> str:
    """What is said about the result table."""
    of_accuracies = data.metric.is_accuracy
    papers = (
        " The papers’ measures are of "
        f"{'test' if data.picked_on_test else 'validation'} accuracy, and optimistic: the maximum picks the best "
        "epoch afterwards."
    )
    with_timescale = any(each is not None for row in result_table(data) for each in row.timescales)
    return (
        "Means over confirmed runs on fresh seeds, with 95 % intervals in brackets. Differences are to "
        f"{baseline_text(data)}, paired by seed, of the settings that the searches picked. {correction_text(data)} "
        f"Diverged and failed runs are counted in the notes and stand in no mean.{papers if of_accuracies else ''}"
        f"{TIMESCALE_TEXT if with_timescale else ''}"
    )

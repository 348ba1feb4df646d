"""The result table, as strings and with all its digits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, NamedTuple

from analysis.formatting import NONE, corrected_p, estimate_text, interval_text, params_text
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.results import ResultRow, result_table
from analysis.measures.with_searches import WithSearches
from analysis.snapshot import Snapshot, Source
from analysis.statistics import Comparison, Estimate
from analysis.tables.spec import Table
from analysis.wording import baseline_text, correction_text, data_label, notes
from tune_reg.store import Decision


@dataclass(frozen=True)
class TextRow:
    """One row of the result table as strings; accuracies in percent, differences in percentage points."""

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
    edges: str


def result_rows(source: Source) -> list[TextRow]:
    """The result table as strings, row by row as in ``result_table``.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> result_rows(Results(Path("nowhere")))
    []
    """
    return [text_row(row) for row in result_table(source)]


def text_row(row: ResultRow) -> TextRow:
    """A row of the result table as strings."""
    return TextRow(
        data=data_label(row),
        regularizer=f"{row.regularizer} (baseline)" if row.is_baseline else row.regularizer,
        runs=str(row.runs),
        test_accuracy=estimate_text(row.test_accuracy),
        difference="baseline" if row.is_baseline else estimate_text(row.difference, signed=True),
        with_searches=_with_searches(row),
        p="" if row.is_baseline else corrected_p(row.difference),
        gap=estimate_text(row.generalization_gap, signed=True),
        max_over_epochs=estimate_text(row.max_over_epochs),
        mean_last_10pct=estimate_text(row.mean_last_10pct),
        params="; or ".join(map(params_text, row.params)) or NONE,
        notes="; ".join(notes(row)),
    )


def _with_searches(row: ResultRow) -> str:
    """The difference of the methods at their best; nothing where no model of the search knows it."""
    luck = None if row.comparison is None else row.comparison.with_searches
    return "" if luck is None else interval_text(luck.mean, luck.low, luck.high, "+.2f", 100)


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
        edges="; ".join(f"{name} {side}" for name, side in sorted(row.edges.items())),
    )


def results_table(data: Snapshot) -> Table:
    """The result table without the columns in which nothing stands (no notes, say): these only take room."""
    rows = result_table(data)
    texts = [text_row(row) for row in rows]
    columns = [column for column in HEADINGS if any(getattr(text, column) for text in texts)]
    return Table(
        tuple(HEADINGS[column] for column in columns),
        tuple(tuple(getattr(text, column) for column in columns) for text in texts),
        tuple(result_numbers(data, row) for row in rows),
    )


def results_caption(data: Snapshot) -> str:
    """What is said about the result table."""
    return (
        "Means over confirmed runs on fresh seeds, with 95 % intervals in brackets. Differences are to "
        f"{baseline_text(data)}, paired by seed, of the settings that the searches picked. {correction_text(data)} "
        "Diverged and failed runs are counted in the notes and stand in no mean. The papers’ measures are of "
        f"{'test' if data.picked_on_test else 'validation'} accuracy, and optimistic: the maximum picks the best "
        "epoch afterwards."
    )

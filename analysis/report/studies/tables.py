"""The tables of a comparison of several studies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from analysis.exports.csv_file import rows_csv
from analysis.exports.rendered_table import RenderedTable
from analysis.formatting import NONE, corrected_p, picks_text
from analysis.metric_text import ACCURACY_TEXT, MetricText
from analysis.report.studies.across import AcrossRow
from analysis.statistics import Comparison
from analysis.statistics.ranks import Ranks


class StudyRow(NamedTuple):
    """One of the studies that are compared: its data, model and regularizers."""

    study: str
    dataset: str
    model: str
    data: str  # the training set that is compared, or none
    baseline: str
    regularizers: str
    picked_on: str
    hash: str


def study_table(rows: tuple[StudyRow, ...]) -> RenderedTable:
    """The studies that are compared, one row each."""
    headings = (
        "Study",
        "Data set",
        "Model",
        "Training data",
        "Baseline",
        "Regularizers",
        "Strengths picked on",
        "Hash",
    )
    caption = "Each study enters with its largest training set that has a confirmed run."
    return RenderedTable("studies", "Studies", caption, headings, tuple(tuple(row) for row in rows), rows_csv(rows))


def value_table(rows: tuple[AcrossRow, ...], texts: Mapping[str, MetricText]) -> RenderedTable:
    """Mean test values, one row a study, one column a regularizer; ``texts``: how each study's metric is written."""
    one = _of_all(texts)
    names = tuple(dict.fromkeys(row.regularizer for row in rows))
    by_name = {(row.study, row.regularizer): row for row in rows}
    cells = tuple(
        (study, *(_mean(by_name.get((study, name)), texts[study], alone=one is not None) for name in names))
        for study in dict.fromkeys(row.study for row in rows)
    )
    caption = "Mean test accuracy in percent over confirmed runs, with 95 % intervals in brackets; n is runs."
    if one is None:
        title, caption = "Test values", caption.replace("test accuracy in percent", "of each study's metric")
    else:
        title, caption = one.heading("Test"), one.in_metric(caption)
    csv = rows_csv(rows) if one is not None and one.is_accuracy else _of_any(rows_csv(rows))
    return RenderedTable("accuracy", title, caption, ("Study", *names), cells, csv)


def _of_all(texts: Mapping[str, MetricText]) -> MetricText | None:
    """How the metric of all studies is written; None where they have several."""
    first = next(iter(texts.values()), ACCURACY_TEXT)
    same = all((text.words, text.unit) == (first.words, first.unit) for text in texts.values())
    return first if same else None


def _of_any(csv: bytes) -> bytes:
    """A CSV whose column is of another metric than the accuracy, or of several."""
    return csv.replace(b"test_accuracy", b"test_value")


def _mean(row: AcrossRow | None, text: MetricText, *, alone: bool) -> str:
    if row is None or row.test_accuracy is None:
        return NONE
    value = text.estimate(row.test_accuracy)
    return f"{value if alone else f'{text.with_unit(value)} {text.words}'} (n = {row.test_accuracy.n})"


def difference_table(rows: tuple[AcrossRow, ...], texts: Mapping[str, MetricText]) -> RenderedTable:
    """Differences to the baseline within each study, one row a study and regularizer."""
    one = _of_all(texts)
    compared = [(row, row.difference) for row in rows if row.difference is not None]
    cells = tuple(
        (
            *(
                row.study,
                row.regularizer,
                row.baseline,
                _difference(difference, texts[row.study], alone=one is not None),
            ),
            *(str(difference.n), corrected_p(difference), "yes" if row.claimed else "no"),
            *(picks_text(row.params, row.timescales), row.notes),
        )
        for row, difference in compared
    )
    heading = "Difference" if one is None else one.of_difference("Difference")
    headings = (
        *("Study", "Regularizer", "Against", heading, "Pairs", "p (Holm, within its study)"),
        "May be claimed",
        *("Winning hyperparameters", "Notes"),
    )
    caption = (
        "Differences of mean test accuracy to the baseline of the same study, paired by seed, with their intervals; p "
        "and what may be claimed are those of the study's own report."
    )
    numbers = rows_csv([row for row, _ in compared])
    if one is None or not one.is_accuracy:
        caption, numbers = caption.replace("test accuracy", "test values"), _of_any(numbers)
    return RenderedTable("differences", "Differences to the baseline", caption, headings, cells, numbers)


def _difference(difference: Comparison, text: MetricText, *, alone: bool) -> str:
    value = text.estimate(difference, signed=True)
    return value if alone else f"{value} {text.of_differences}".strip()


def rank_table(ranks: Ranks | None, texts: Mapping[str, MetricText]) -> RenderedTable:
    """Average ranks of the regularizers."""
    rows = ranks.rows if ranks else ()
    headings = ("Regularizer", "Average rank", "Studies", "First in", *(ranks.studies if ranks else ()))
    cells = tuple(
        (
            *(row.regularizer, f"{row.average_rank:.2f}", str(row.studies), str(sum(rank == 1 for rank in row.ranks))),
            *(f"{rank:g}" for rank in row.ranks),
        )
        for row in rows
    )
    caption = "Rank 1 is the highest mean test accuracy of a study; ties share their mean rank."
    if not all(text.is_accuracy for text in texts.values()):
        caption = "Rank 1 is the best mean of a study in its metric; ties share their mean rank."
    return RenderedTable("ranks", "Ranks", caption, headings, cells, rows_csv(rows))

"""The tables of a comparison of several studies."""

from __future__ import annotations

from typing import NamedTuple

from analysis.exports.csv_file import rows_csv
from analysis.exports.rendered_table import RenderedTable
from analysis.formatting import NONE, corrected_p, estimate_text, params_text
from analysis.report.studies.across import AcrossRow
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


def accuracy_table(rows: tuple[AcrossRow, ...]) -> RenderedTable:
    """Mean test accuracy, one row a study, one column a regularizer."""
    names = tuple(dict.fromkeys(row.regularizer for row in rows))
    by_name = {(row.study, row.regularizer): row for row in rows}
    cells = tuple(
        (study, *(_mean(by_name.get((study, name))) for name in names))
        for study in dict.fromkeys(row.study for row in rows)
    )
    caption = "Mean test accuracy in percent over confirmed runs, with 95 % intervals in brackets; n is runs."
    return RenderedTable("accuracy", "Test accuracy, %", caption, ("Study", *names), cells, rows_csv(rows))


def _mean(row: AcrossRow | None) -> str:
    if row is None or row.test_accuracy is None:
        return NONE
    return f"{estimate_text(row.test_accuracy)} (n = {row.test_accuracy.n})"


def difference_table(rows: tuple[AcrossRow, ...]) -> RenderedTable:
    """Differences to the baseline within each study, one row a study and regularizer."""
    compared = [(row, row.difference) for row in rows if row.difference is not None]
    cells = tuple(
        (
            *(row.study, row.regularizer, row.baseline, estimate_text(difference, signed=True)),
            *(str(difference.n), corrected_p(difference), "yes" if row.claimed else "no"),
            *("; or ".join(map(params_text, row.params)), row.notes),
        )
        for row, difference in compared
    )
    headings = (
        *("Study", "Regularizer", "Against", "Difference, points", "Pairs", "p (Holm, within its study)"),
        "May be claimed",
        *("Winning hyperparameters", "Notes"),
    )
    caption = (
        "Differences of mean test accuracy to the baseline of the same study, paired by seed, with their intervals; p "
        "and what may be claimed are those of the study's own report."
    )
    numbers = rows_csv([row for row, _ in compared])
    return RenderedTable("differences", "Differences to the baseline", caption, headings, cells, numbers)


def rank_table(ranks: Ranks | None) -> RenderedTable:
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
    return RenderedTable("ranks", "Ranks", caption, headings, cells, rows_csv(rows))

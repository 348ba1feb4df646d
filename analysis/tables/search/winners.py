"""What the model of each search expects of the trial that it picked, beside what was seen of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import NONE
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where
from tune_reg.store.winner import winner


class WinnerNumbers(NamedTuple):
    """The picked trial of one search; accuracies are shares in [0, 1]."""

    fraction: float
    regularizer: str
    trial: int
    epochs: int  # trained in the search
    seen: float | None  # its last validation accuracy
    expected: float
    deviation: float


def winner_table(data: Snapshot) -> Table:
    """The picked trial of every search that has a model of final values."""
    numbers = []
    trials = {(row["regularizer"], row["fraction"], row["trial"]): row for row in data.trials}
    for name in data.regularizers:
        rows = {(row["fraction"], row["trial"]): row for row in data.expected if row["regularizer"] == name}
        for fraction in sorted({fraction for fraction, _ in rows}, reverse=True):
            number = winner([], data.study, data.expected_of(name, fraction))
            trial = None if number is None else trials.get((name, fraction, number))
            if number is not None and trial is not None:
                expected = rows[fraction, number]
                numbers.append(
                    WinnerNumbers(
                        fraction,
                        name,
                        number,
                        trial["epochs_trained"],
                        trial["value"],
                        expected["expected_value"],
                        expected["expected_deviation"],
                    )
                )
    kind = "test" if data.picked_on_test else "validation"
    headings = ("Training data", "Regularizer", "Trial", "Epochs", f"Seen {kind} accuracy, %", "Expected, %")
    texts = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            str(row.trial),
            f"{row.epochs:,}",
            NONE if row.seen is None else f"{100 * row.seen:.2f}",
            f"{100 * row.expected:.2f} ± {100 * row.deviation:.2f}",
        )
        for row in numbers
    )
    return Table(headings, texts, tuple(numbers))


WINNER_TABLE: Final = TableSpec(
    "winners",
    "What the search expects of its winners",
    "The trial of the highest expected value is picked, whether it was trained to the end or not. Expected is the "
    "accuracy at the end of a training over seeds, ± one standard deviation of this estimate, by the model of final "
    "values from all trials; the accuracy that was seen is of one seed, and of the last epoch that was trained.",
    winner_table,
)

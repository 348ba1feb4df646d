"""The published numbers of the four papers, from one file."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

_FILE: Final = Path(__file__).parent / "published.csv"

#: How a published number was made of the runs behind it.
Statistic: TypeAlias = Literal[
    "best epoch",
    "last tenth of the epochs",
    "trimmed mean of the last tenth",
    "best epoch of the best run",
    "last epoch",
]

_STATISTICS: Final[dict[str, Statistic]] = {
    "max_over_epochs_mean_5trials": "best epoch",
    "mean_last10pct_epochs_mean_5trials": "last tenth of the epochs",
    "trimmed10_mean_over_trials_of_mean_last10pct_epochs": "trimmed mean of the last tenth",
    "max_over_epochs_and_trials": "best epoch of the best run",
    "test_accuracy_mean_10seeds(lambda picked on test)": "last epoch",
}


class Published(NamedTuple):
    """One published accuracy. Shares in [0, 1]."""

    paper: str  # its key in the file, "002_adadecay" for example
    table: str  # "Table1", without what the file says in brackets of its state
    dataset: str
    model: str
    method: str
    setting: str  # the value of the method's hyperparameters, in the paper's words
    size: str  # a share of the training images, or images of each class
    statistic: Statistic
    accuracy: float | None  # None where the body of the table is lost
    deviation: float | None  # between runs, where the paper gives it
    trials: int
    cell: str  # where it stands: table, row and column


def published(paper: str, table: str) -> tuple[Published, ...]:
    """The accuracies of one table, in the order of the file; none where the table has only schedules.

    >>> published("000_residual_smoothing", "Table1")[0].cell
    'Table1, row Fashion-MNIST, ResNet20, max, column SGD weight_decay 1e-2'
    """
    return tuple(number for number in _all() if (number.paper, number.table) == (paper, table))


@lru_cache(maxsize=1)
def _all() -> tuple[Published, ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_number(row) for row in csv.DictReader(file) if row["metric"] in _STATISTICS)


def _number(row: dict[str, str]) -> Published:
    def share(text: str) -> float | None:
        return float(text) / 100 if text else None

    return Published(
        row["paper"],
        row["table"].partition("(")[0],
        row["dataset"],
        row["model"],
        row["method"],
        row["value"],
        row["fraction_or_per_class"],
        _STATISTICS[row["metric"]],
        share(row["accuracy_percent"]),
        share(row["std"]),
        int(row["trials"]),
        row["cell"],
    )

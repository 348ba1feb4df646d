"""What a study is judged by: the name of its metric, which way is better, and the columns that hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from tune_reg.store.schema import EpochValues, FinalValues

#: Which values of a metric are better: larger ones, or smaller ones.
Goal: TypeAlias = Literal["maximize", "minimize"]
#: Columns that a metric may stand in, of the tables ``epochs`` and ``final``.
ValidationColumn: TypeAlias = Literal["val_accuracy", "val_loss", "val_metric"]
TestColumn: TypeAlias = Literal["test_accuracy", "test_loss", "test_metric"]

#: The goals of the metrics that the house knows by name; any other name is given with its goal.
GOALS: Final[Mapping[str, Goal]] = {
    "accuracy": "maximize",
    "loss": "minimize",
    "rmse": "minimize",
    "mse": "minimize",
    "mae": "minimize",
}

_VALIDATION: Final[dict[str, ValidationColumn]] = {"accuracy": "val_accuracy", "loss": "val_loss"}
_TEST: Final[dict[str, TestColumn]] = {"accuracy": "test_accuracy", "loss": "test_loss"}


class Metric(NamedTuple):
    """The metric by which a study searches and decides.

    Tables hold its values as they are. The search works on scores, of which larger ones are always better.

    >>> rmse = Metric("rmse", "minimize")
    >>> rmse.score(0.25), rmse.value(rmse.score(0.25)), rmse.test_column
    (-0.25, 0.25, 'test_metric')
    """

    name: str = "accuracy"
    goal: Goal = "maximize"
    unit: str = ""  # shown beside numbers; that of the accuracy is per cent, whatever stands here

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the accuracy: a share in [0, 1] of so many images, shown in per cent."""
        return self.name == "accuracy"

    @property
    def minimized(self) -> bool:
        """Whether smaller values are better."""
        return self.goal == "minimize"

    @property
    def words(self) -> str:
        """Its name in a sentence.

        >>> Metric("bits_per_byte", "minimize").words
        'bits per byte'
        """
        return self.name.replace("_", " ")

    def score(self, value: float) -> float:
        """A value as a number of which larger ones are better: the value, or its negative where it is minimized."""
        return -value if self.minimized else value

    def value(self, score: float) -> float:
        """The value that has this score."""
        return -score if self.minimized else score

    @property
    def validation_column(self) -> ValidationColumn:
        """The column of the table ``epochs`` that holds it on the validation examples."""
        return _VALIDATION.get(self.name, "val_metric")

    @property
    def test_column(self) -> TestColumn:
        """The column of the table ``final`` that holds it on the test examples."""
        return _TEST.get(self.name, "test_metric")

    def of_epoch(self, row: EpochValues) -> float:
        """Its value on the validation examples after an epoch; NaN where the epoch has none.

        >>> Metric().of_epoch({"val_accuracy": 0.75})
        0.75
        """
        return _number(row.get(self.validation_column))

    def of_run(self, row: FinalValues) -> float | None:
        """Its value on the test examples at the end of a confirmed run; None where the run has none."""
        value = _number(row.get(self.test_column))
        return value if math.isfinite(value) else None


#: The metric of a study that names no other.
ACCURACY: Final = Metric()


def metric_of(study: Mapping[str, Any]) -> Metric:
    """The metric of a study, as plain tables such as ``Results.study`` gives them.

    >>> metric_of({}).name, metric_of({"metric": {"name": "rmse", "goal": "minimize"}}).goal
    ('accuracy', 'minimize')
    """
    table = study.get("metric")
    if not isinstance(table, Mapping) or "name" not in table:
        return ACCURACY
    name = str(table["name"])
    goal: Goal = "minimize" if table.get("goal", GOALS.get(name)) == "minimize" else "maximize"
    return Metric(name, goal, str(table.get("unit", "")))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)

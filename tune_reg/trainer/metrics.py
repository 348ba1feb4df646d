"""What a training loop of the user's says in numbers: which of them counts, and whether it can be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from tune_reg.errors import StudyError
from tune_reg.store import ACCURACY, Metric

Numbers = Mapping[str, float]


def numbers(call: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as Python floats, from numbers of any library; ``StudyError`` names one that is no number.

    >>> numbers("run.report", {"accuracy": 1})
    {'accuracy': 1.0}
    """
    return {str(name): _number(call, str(name), value) for name, value in metrics.items()}


def value_of(metrics: Numbers, part: Literal["val", "test"], metric: str = "accuracy") -> float | None:
    """The number that counts: the study's metric under its name with the part, or under its plain name.

    >>> value_of({"accuracy": 0.5, "f1": 0.4}, "val"), value_of({"test_accuracy": 0.5}, "val")
    (0.5, None)
    """
    return metrics.get(f"{part}_{metric}", metrics.get(metric))


def required_value(call: str, metrics: Numbers, part: Literal["val", "test"], metric: Metric = ACCURACY) -> float:
    """As ``value_of``; ``StudyError`` where it is not there, or an accuracy is no share."""
    value = value_of(metrics, part, metric.name)
    if value is None:
        names = ", ".join(metrics) or "none"
        raise StudyError(f"{call}: {part}_{metric.name} must be among the metrics, but got {names}")
    if metric.is_accuracy:
        check_share(call, f"{part}_accuracy", value)
    return value


def check_share(call: str, name: str, value: float) -> None:
    """``StudyError`` for an accuracy that is no share."""
    if value < 0 or value > 1:
        raise StudyError(f"{call}: {name} must be a share in [0, 1], but got {value:g}; divide percent by 100")


def _number(call: str, name: str, value: Any) -> float:
    try:
        return float(value.detach() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        raise StudyError(f"{call}: {name} must be a number, but got a {type(value).__name__}") from None

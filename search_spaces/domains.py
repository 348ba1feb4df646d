"""The domains that a hyperparameter can be searched over: ranges and choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Value = float | int | str | bool


class SpaceError(ValueError):
    """A search space breaks a rule; the message is one line with the rule and the values."""


@dataclass(frozen=True)
class Float:
    """A real number in [low, high], uniform or uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", log" if self.log else "")

    def contains(self, value: object) -> bool:
        """Whether ``value`` lies in the range."""
        return _is_number(value) and self.low <= float(value) <= self.high  # type: ignore[arg-type]


@dataclass(frozen=True)
class Integer:
    """A whole number in [low, high], both included, uniform or uniform in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise SpaceError(f"{name} of an integer range must be a whole number, but got {value!r}")
        _check_range(self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, whole" + (", log" if self.log else "")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a whole number in the range."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values, without order."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError("a choice needs at least one value, but got none")
        for value in self.values:
            if not isinstance(value, Value):
                raise SpaceError(f"the values of a choice must be numbers, text or true and false, but got {value!r}")
        if len(set(self.values)) != len(self.values):
            raise SpaceError(f"the values of a choice must differ, but got {list(self.values)}")

    def __str__(self) -> str:
        return "one of " + ", ".join(str(value) for value in self.values)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the values."""
        return value in self.values


Domain = Float | Integer | Choice


def uniform(low: float, high: float) -> Float:
    """A real number between ``low`` and ``high``.

    >>> uniform(0.1, 1.7)
    Float(low=0.1, high=1.7, log=False)
    """
    return Float(float(low), float(high))


def loguniform(low: float, high: float) -> Float:
    """A real number between ``low`` and ``high`` whose logarithm is uniform; ``low > 0``.

    >>> loguniform(0, 1)
    Traceback (most recent call last):
    search_spaces.domains.SpaceError: a log range needs low > 0, but got low=0.0, high=1.0
    """
    return Float(float(low), float(high), log=True)


def integer(low: int, high: int, *, log: bool = False) -> Integer:
    """A whole number from ``low`` to ``high``, both included.

    >>> integer(1, 5)
    Integer(low=1, high=5, log=False)
    """
    return Integer(low, high, log=log)


def choice(values: Sequence[Value]) -> Choice:
    """One of ``values``.

    >>> choice(["laplace", "logistic"])
    Choice(values=('laplace', 'logistic'))
    """
    return Choice(tuple(values))


def widened(first: Domain, second: Domain) -> Domain:
    """The smallest range that has both ranges in it; choices stay as they are, since they are the same in all trials.

    >>> widened(uniform(0, 0.5), uniform(0.25, 1))
    Float(low=0.0, high=1.0, log=False)
    """
    match first, second:
        case Float(low, high, log), Float(other_low, other_high, _):
            return Float(min(low, other_low), max(high, other_high), log=log)
        case Integer(low, high, log), Integer(other_low, other_high, _):
            return Integer(min(low, other_low), max(high, other_high), log=log)
        case _:
            return first


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_range(low: float, high: float, *, log: bool) -> None:
    for name, value in (("low", low), ("high", high)):
        if not _is_number(value) or not math.isfinite(value):
            raise SpaceError(f"{name} must be a finite number, but got {name}={value!r}")
    if low > high:
        raise SpaceError(f"low <= high must hold, but got low={low}, high={high}")
    if log and low <= 0:
        raise SpaceError(f"a log range needs low > 0, but got low={low}, high={high}")

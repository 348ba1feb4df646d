"""A trial whose answers are given in advance, in the place of an Optuna trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.domains import SpaceError, Value


class GivenValues:
    """Answers ``suggest_float``, ``suggest_int`` and ``suggest_categorical`` with the values given for the names.

    Like Optuna's ``FixedTrial``, without Optuna: a number outside of the range that is asked for is returned as it is.
    Raises ``SpaceError`` for a name without a value, and for a value that is none of the choices.

    >>> GivenValues({"alpha": 4.0}).suggest_float("alpha", 0.0, 8.0)
    4.0
    """

    number = 0

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)
        #: The values that were asked for.
        self.params: dict[str, Value] = {}
        self.user_attrs: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        """The value of ``name``."""
        del low, high, step, log
        return self._given(name)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The value of ``name``, as a whole number."""
        del low, high, step, log
        return int(self._given(name))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The value of ``name``, which must be one of ``choices``."""
        value = self._given(name)
        if value not in choices:
            raise SpaceError(f"{name} must be one of {list(choices)}, but got {value!r}")
        return value

    def suggest_uniform(self, name: str, low: float, high: float) -> Any:
        """The value of ``name``; a spelling of ``suggest_float`` that Optuna still has."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> Any:
        """The value of ``name``; a spelling of ``suggest_float`` that Optuna still has."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> Any:
        """The value of ``name``; a spelling of ``suggest_float`` that Optuna still has."""
        return self.suggest_float(name, low, high, step=q)

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep an attribute, as a function of a trial may want to."""
        self.user_attrs[key] = value

    def _given(self, name: str) -> Value:
        if name not in self._values:
            raise SpaceError(f"{name} has no value; given are {sorted(self._values)}")
        self.params[name] = self._values[name]
        return self._values[name]

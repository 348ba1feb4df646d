"""Schedules from the tables and texts of a study file."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from tune_reg.schedules.base import Schedule, as_kind
from tune_reg.schedules.composed import learning_rate_coupled, warm_restarts
from tune_reg.schedules.curves import (
    constant,
    cosine,
    exponential,
    laplace,
    logistic,
    piecewise,
    sigmoid,
    steps,
)
from tune_reg.schedules.paper import PRESETS

#: The kinds of schedules that a study file can name, and the functions whose parameters they have.
KINDS: Final[dict[str, Callable[..., Schedule]]] = {
    "constant": constant,
    "piecewise": piecewise,
    "steps": steps,
    "exponential": exponential,
    "sigmoid": sigmoid,
    "cosine": cosine,
    "laplace": laplace,
    "logistic": logistic,
    "warm-restarts": warm_restarts,
    "learning-rate-coupled": learning_rate_coupled,
}

_LISTS: Final = ("boundaries", "values", "breakpoints")
_NESTED: Final = ("schedule", "learning_rate")


def schedule_from_plain(plain: Mapping[str, Any]) -> Schedule:
    """The schedule of a table of a study file, such as ``{kind = "sigmoid", end = 0.01}``.

    >>> schedule_from_plain({"kind": "cosine"})
    Cosine(start=1.0, end=0.0)
    >>> schedule_from_plain({"kind": "warm-restarts", "schedule": {"kind": "cosine"}, "boundaries": [0.5]})
    WarmRestarts(schedule=Cosine(start=1.0, end=0.0), boundaries=(0.5,))
    """
    parameters = dict(plain)
    name = parameters.pop("kind", None)
    kind = as_kind(name) if isinstance(name, str) else None
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, but got {name!r}")
    legal = list(inspect.signature(KINDS[kind]).parameters)
    unknown = sorted(set(parameters) - set(legal))
    if unknown:
        raise ValueError(f"a {kind} schedule has the parameters {', '.join(legal)}, but got {', '.join(unknown)}")
    parameters = {key: _checked(kind, key, value) for key, value in parameters.items()}
    try:
        return KINDS[kind](**parameters)
    except TypeError:
        raise ValueError(
            f"a {kind} schedule needs {', '.join(legal)}, but got {', '.join(parameters) or 'nothing'}"
        ) from None


def schedule_from_text(text: str) -> Schedule | None:
    """The schedule that a text gives as a whole: a column of a paper's table, or JSON; None for the name of a kind.

    >>> schedule_from_text('{"kind": "steps", "factor": 0.5}'), schedule_from_text("cosine")
    (Steps(start=1.0, factor=0.5, every=0.25), None)
    """
    if text in PRESETS:
        return PRESETS[text]
    if not text.startswith("{"):
        return None
    try:
        return schedule_from_plain(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"a schedule as text must be a JSON table, but got {text!r}: {error}") from None


def _checked(kind: str, name: str, value: Any) -> Any:
    """The value of a parameter, with a nested table made into a schedule; ``ValueError`` for a wrong type."""
    if name in _NESTED:
        if isinstance(value, str):
            return schedule_from_plain({"kind": value})
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} of a {kind} schedule must be the name of one or a table, but got {value!r}")
        return schedule_from_plain(value)
    several = name in _LISTS
    numbers = value if several and isinstance(value, list | tuple) else [value]
    finite = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    if not finite or (several and numbers is not value):
        rule = "a list of finite numbers" if several else "a finite number"
        raise ValueError(f"{name} of a {kind} schedule must be {rule}, but got {value!r}")
    return value

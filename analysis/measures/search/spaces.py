"""Does an optimum lie on the edge of its search space? Which bounds has the space, where trials differ in them?

The provenance describes the space of each method. Where it is a function, each trial has its own ranges beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from analysis.snapshot import Snapshot, mapping, once
from tune_reg.store import TrialRow

#: In the description of a space, says that trials differ in its bounds, which are then the widest.
DEPENDS: Final = "depends"

#: An optimum closer to a bound than this share of the space (in log where the space is) lies on its edge.
EDGE: Final = 0.05


class Space(NamedTuple):
    """Bounds of one hyperparameter that was searched over numbers."""

    low: float
    high: float
    log: bool
    listed: bool  # a list of choices, of which low and high are the ends


def number(value: object) -> float | None:
    """A value as a finite float, or None where it is no number; a bool is none.

    >>> number(3), number(True), number("a")
    (3.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def spans_decades(low: float, high: float) -> bool:
    """Whether positive values between ``low`` and ``high`` are better read on a log axis.

    >>> spans_decades(1e-4, 1e-1), spans_decades(0.1, 0.9), spans_decades(0.0, 1.0)
    (True, False, False)
    """
    return low > 0 and high / low >= 50


def numeric_space(description: object) -> Space | None:
    """The bounds of a search space, or None where the space is fixed, not numeric or of an unknown form.

    >>> numeric_space({"low": 1e-5, "high": 0.1, "log": True})
    Space(low=1e-05, high=0.1, log=True, listed=False)
    >>> numeric_space({"value": 3}) is None
    True
    """
    fields = mapping(description)
    choices = fields.get("choices")
    if isinstance(choices, list):
        numbers = [value for value in map(number, choices) if value is not None]
        if len(numbers) < len(choices) or len(set(numbers)) < 2:
            return None
        low, high = min(numbers), max(numbers)
        # Grids of strengths mostly go by decades; these are drawn on a log axis.
        return Space(low, high, log=spans_decades(low, high), listed=True)
    low_bound, high_bound = number(fields.get("low")), number(fields.get("high"))
    if low_bound is None or high_bound is None or not low_bound < high_bound:
        return None
    return Space(low_bound, high_bound, log=bool(fields.get("log")) and low_bound > 0, listed=False)


@once
def all_spaces(data: Snapshot) -> Mapping[str, Mapping[str, Any]]:
    """The space of each method by its name, each with the bounds that its trials had, the widest where they differ."""
    return {name: _spaces(data, name) for name in data.regularizers}


def space_in_trial(data: Snapshot, name: str, row: TrialRow | None) -> Mapping[str, Any]:
    """The space of method ``name`` as it was in one trial; as the provenance has it where the trial says nothing."""
    if row is None or row["ranges"] is None:
        return mapping(data.method(name).get("space"))
    return row["ranges"]


def _spaces(data: Snapshot, name: str) -> Mapping[str, Any]:
    described = mapping(data.method(name).get("space"))
    ranges = [row["ranges"] for row in data.trials_of(name) if row["ranges"] is not None]
    if not ranges:
        return described
    keys = [key for key in dict.fromkeys([*described, *sorted(set().union(*ranges))]) if any(key in r for r in ranges)]
    return {key: _widest(each[key] for each in (described, *ranges) if key in each) for key in keys}


def _widest(descriptions: Iterable[Any]) -> Mapping[str, Any]:
    """One description of a hyperparameter for all trials."""
    tables = [mapping(each) for each in descriptions]
    lows, highs = ([at for table in tables if (at := number(table.get(end))) is not None] for end in ("low", "high"))
    if all(table == tables[0] for table in tables) or not len(lows) == len(highs) == len(tables):
        return tables[0]
    return {**tables[0], "low": min(lows), "high": max(highs), DEPENDS: True}


def edge(space: Space, value: float) -> str | None:
    """The edge of ``space`` on which ``value`` lies, ``"low"`` or ``"high"``, else None.

    >>> edge(Space(1e-4, 1.0, log=True, listed=False), 0.9), edge(Space(0.0, 1.0, log=False, listed=False), 0.5)
    ('high', None)
    """
    if space.listed:
        return "low" if value <= space.low else "high" if value >= space.high else None
    low, high, at = (
        (math.log(space.low), math.log(space.high), math.log(max(value, space.low)))
        if space.log
        else (space.low, space.high, value)
    )
    share = (at - low) / (high - low)
    return "low" if share <= EDGE else "high" if share >= 1 - EDGE else None


def edges(params: dict[str, Any], spaces: object) -> dict[str, str]:
    """The hyperparameters of ``params`` that lie on an edge of their space, with the side.

    >>> edges({"decay": 0.1, "alpha": 4.0}, {"decay": {"low": 1e-5, "high": 0.1, "log": True}})
    {'decay': 'high'}
    """
    sides: dict[str, str] = {}
    for name in sorted(params):
        space, value = numeric_space(mapping(spaces).get(name)), number(params[name])
        side = edge(space, value) if space is not None and value is not None else None
        if side is not None:
            sides[name] = side
    return sides

"""A hyperparameter that is searched only where others have certain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value

#: By name of another hyperparameter, the values at which this one is searched.
Condition = dict[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Conditional:
    """What ``when`` makes."""

    domain: Domain
    condition: tuple[tuple[str, tuple[Value, ...]], ...]


def when(domain: Domain, **condition: Value | list[Value] | tuple[Value, ...]) -> Conditional:
    """``domain`` where each hyperparameter of ``condition`` has the value, or one of the values, given for it.

    Elsewhere it is not asked for, and keeps its default.

    >>> from search_spaces import SearchSpace, choice, uniform
    >>> b = when(uniform(0, 1), annealing="laplace")
    >>> space = SearchSpace({"annealing": choice(["laplace", "constant"]), "b": b})
    >>> space.active("b", {"annealing": "constant"})
    False
    """
    if not isinstance(domain, Float | Integer | Choice):
        raise SpaceError(f"a domain is wanted before the condition, but got {domain!r}")
    if not condition:
        raise SpaceError("a condition is wanted: the name of another hyperparameter and its value or values")
    values = {name: tuple(given) if isinstance(given, list | tuple) else (given,) for name, given in condition.items()}
    return Conditional(domain, tuple(values.items()))


def holds(condition: Mapping[str, tuple[Value, ...]], values: Mapping[str, Value]) -> bool:
    """Whether ``values`` meet the condition; a name that has no value meets none."""
    return all(name in values and values[name] in wanted for name, wanted in condition.items())


def ordered(names: list[str], conditions: Mapping[str, Condition]) -> list[str]:
    """``names`` so that each stands after those that its condition names; else in their order."""
    done: list[str] = []
    waiting = list(names)
    while waiting:
        ready = [name for name in waiting if all(other not in waiting for other in conditions.get(name, ()))]
        if not ready:
            raise SpaceError(f"conditions that wait for each other: {', '.join(waiting)}")
        done += ready
        waiting = [name for name in waiting if name not in ready]
    return done

"""A hyperparameter that is searched only where others have certain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value

#: The values of other hyperparameters, by name, at which a hyperparameter is searched.
Condition = dict[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Conditional:
    """A domain that is searched only where other hyperparameters have certain values; made by ``when``."""

    domain: Domain
    condition: tuple[tuple[str, tuple[Value, ...]], ...]


def when(domain: Domain, **condition: Value | list[Value] | tuple[Value, ...]) -> Conditional:
    """``domain``, searched where each hyperparameter of ``condition`` has the value, or one of the values, given there.

    Elsewhere the hyperparameter is not searched, and has its default.

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
    values = {name: tuple(value) if isinstance(value, list | tuple) else (value,) for name, value in condition.items()}
    return Conditional(domain, tuple(values.items()))


def holds(condition: Mapping[str, tuple[Value, ...]], values: Mapping[str, Value]) -> bool:
    """Whether ``values`` meet the condition; a condition on a name without a value is not met."""
    return all(name in values and values[name] in wanted for name, wanted in condition.items())


def ordered(names: list[str], conditions: Mapping[str, Condition]) -> list[str]:
    """``names``, each after the names that its condition depends on, and else in the order given."""
    done: list[str] = []
    waiting = list(names)
    while waiting:
        ready = [name for name in waiting if all(other not in waiting for other in conditions.get(name, ()))]
        if not ready:
            raise SpaceError(f"conditions that wait for each other: {', '.join(waiting)}")
        done += ready
        waiting = [name for name in waiting if name not in ready]
    return done

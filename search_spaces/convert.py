"""From whatever a user gives as a search space to a ``SearchSpace``."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.conditional import Conditional
from search_spaces.define_by_run import DefinedByRun
from search_spaces.domains import Domain, SpaceError, Value
from search_spaces.plain import entry_from_plain
from search_spaces.scheduled import ScheduleSpace
from search_spaces.space import SearchSpace


def as_space(entries: object) -> SearchSpace:
    """A ``SearchSpace`` from one, from a mapping of domains, plain values or ``ray.tune`` domains, or from a function.

    A function takes an Optuna trial and returns the hyperparameters (see ``DefinedByRun``).

    >>> as_space({"alpha": [1, 2, 4], "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True}}).fixed
    {}
    """
    if isinstance(entries, SearchSpace):
        return entries
    if callable(entries):
        return DefinedByRun(entries)
    if not isinstance(entries, Mapping):
        rule = "a search space is a SearchSpace, a mapping of names to domains or a function of a trial"
        raise SpaceError(f"{rule}, but got {entries!r}")
    return SearchSpace({str(name): _entry(name, entry) for name, entry in entries.items()})


def _entry(name: object, entry: object) -> Domain | Value | ScheduleSpace | Conditional:
    try:
        if not type(entry).__module__.startswith("ray.tune"):
            return entry_from_plain(entry)
        from search_spaces.to_tune import domain_from_tune  # Ray is loaded already

        return domain_from_tune(entry)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from None

"""Hyperparameters that change over the training: the kind and parameters of a schedule, each fixed or searched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value


@dataclass(frozen=True)
class ScheduleSpace:
    """A schedule in a search space, made by ``schedule``: it becomes ``<name>_schedule`` and ``<name>_<parameter>``."""

    kind: str | Choice
    parameters: tuple[tuple[str, Domain | Value], ...]

    def flat(self, name: str) -> dict[str, Domain | Value]:
        """The entries of a hyperparameter ``name`` with this schedule; ``name`` may end in ``_schedule`` already."""
        name = name.removesuffix("_schedule")
        return {f"{name}_schedule": self.kind, **{f"{name}_{key}": entry for key, entry in self.parameters}}


Kind = str | Mapping[str, Any]


def schedule(kind: Kind | list[Kind] | tuple[Kind, ...] | Choice, **parameters: Domain | Value) -> ScheduleSpace:
    """A schedule instead of a constant: its ``kind``, or a list of kinds to choose from, and its parameters.

    The kinds are the schedules of ``tune_reg.schedules`` with plain parameters (constant, sigmoid, cosine, ...). A
    parameter that the chosen kind does not have is ignored. A kind may also be the name of a paper's table
    (sch01, ...) or a whole schedule as a table, ``{"kind": "piecewise", "boundaries": [0.5], "values": [0.0, 0.1]}``,
    which is written into the space as JSON text.

    >>> from search_spaces import SearchSpace, loguniform
    >>> taper = schedule(["constant", "cosine"], value=1e-4, start=loguniform(1e-5, 1e-2))
    >>> space = SearchSpace({"weight_decay": taper})
    >>> list(space)
    ['weight_decay_schedule', 'weight_decay_value', 'weight_decay_start']
    """
    chosen = Choice(tuple(map(_text, kind))) if isinstance(kind, list | tuple) else _text(kind)
    if not isinstance(chosen, str | Choice):
        raise SpaceError(f"the kind of a schedule is a name or a list of names, but got {kind!r}")
    for key, entry in parameters.items():
        if not isinstance(entry, Float | Integer | Choice | float | int | str):
            raise SpaceError(f"{key} of a schedule is a value or a domain, but got {entry!r}")
    return ScheduleSpace(chosen, tuple(parameters.items()))


def _text(kind: Any) -> Any:
    return json.dumps(dict(kind), sort_keys=True) if isinstance(kind, Mapping) else kind

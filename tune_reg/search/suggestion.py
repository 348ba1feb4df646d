"""What a space gives for a trial: its hyperparameters, or the reason why it gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import optuna
from optuna.trial import FrozenTrial

from search_spaces import DefinedByRun, Domain, SpaceError, Value
from search_spaces.to_optuna import domain_from_optuna, values_outside_accepted
from tune_reg.search.trial import Refused, Trial
from tune_reg.study import Task
from tune_reg.user_code import raised_at

#: In the journal, what the function returned for a trial: called once more, it may return something else.
_RETURNED: Final = "hyperparameters"
_PRUNED: Final = Refused("pruned", "its space pruned it before training")


def suggested(task: Task, live: optuna.Trial) -> Trial:
    """The trial of ``task`` that ``live`` is.

    A function that is a space may prune a trial, fail, or ask for a range that a starting point does not fit into: the
    trial then has the values that were asked for, as far as they are hyperparameters, and is ``refused``.
    """
    space = task.space
    if not isinstance(space, DefinedByRun):
        return Trial(task, live.number, space.suggest(live))
    before: dict[str, Value] | None = live.user_attrs.get(_RETURNED)  # where the process was killed since it was asked
    params = None
    asked: dict[str, Domain] = {}
    refused = None
    try:
        with values_outside_accepted():
            params = before or space.suggest(live)
    except optuna.TrialPruned:
        refused = _PRUNED
    except SpaceError as error:
        refused = Refused("failed", f"{error}{raised_at(error)}")
    try:
        asked = {name: domain_from_optuna(distribution) for name, distribution in live.distributions.items()}
    except SpaceError as error:
        refused = refused or Refused("failed", str(error))
    refused = refused or _outside(live, asked)
    if refused is None and params is not None:
        if before is None:
            live.set_user_attr(_RETURNED, params)
    else:
        names = {name for values in space.returned for name in values}
        params = {name: value for name, value in live.params.items() if name in names}
    # What the function makes of a value, under the same name, does not lie in the range of the value.
    as_asked = {name for name, value in live.params.items() if params.get(name, value) == value}
    ranges = {name: domain for name, domain in asked.items() if name in as_asked}
    return Trial(task, live.number, params, ranges=ranges, refused=refused)


def hyperparameters(task: Task, ended: FrozenTrial) -> dict[str, Value]:
    """The hyperparameters of a trial that has ended, as they were when it was asked."""
    returned: dict[str, Value] | None = ended.user_attrs.get(_RETURNED)
    return returned or task.space.suggest(optuna.trial.FixedTrial(ended.params, ended.number))


def _outside(live: optuna.Trial, asked: Mapping[str, Domain]) -> Refused | None:
    """Why a starting point does not fit: it was declared for ranges that other values, drawn for it, have moved."""
    for name, domain in asked.items():
        value = live.params[name]
        if not domain.contains(value):
            reason = f"a starting point gives {name} = {value!r}, outside its range there, {domain}"
            return Refused("failed", reason)
    return None

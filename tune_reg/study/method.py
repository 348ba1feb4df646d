"""A method of a study: a regularizer, or several as one, with the space that is searched."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from search_spaces import Choice, DefinedByRun, Domain, Float, Integer, Prior, SearchSpace, SpaceError, Value, as_space
from tune_reg.errors import StudyError, TuneRegError, did_you_mean
from tune_reg.regularizers import Hyperparameter, Regularizer, regularizer
from tune_reg.schedules import KINDS, PRESETS, schedule_from_text
from tune_reg.study.error_lines import rule_of, short
from tune_reg.training.settings import TrainingSettings
from tune_reg.user_code import raised_at
from tune_reg.user_function import import_function

#: Keys of a method's table that are no hyperparameters.
_REGULARIZER: Final = "regularizer"
_START: Final = "start"
_PRIOR: Final = "prior"
#: Names of methods become names of files.
_NAME: Final = re.compile(r"[^\W_][\w.+ -]{0,79}")
#: With what is put to it, a file name stays below the 255 bytes that most systems have room for.
_NAME_BYTES: Final = 160
_SPACE: Final = "space"
_PAPER: Final = "paper"

#: A schedule of one of these settings is a factor on it.
_FACTORS: Final = {
    name: Hyperparameter(name, 1.0, f"factor on the {name.replace('_', ' ')}", low=0.0)
    for name in TrainingSettings.SCHEDULED
}


@dataclass(frozen=True)
class Method:
    """What is trained under one name of a study."""

    #: Names of regularizers, joined by ``+``.
    regularizer: str
    space: SearchSpace

    @property
    def kind(self) -> type[Regularizer]:
        """The class of the regularizer, or of several as one."""
        return regularizer(self.regularizer)

    def to_plain(self, name: str) -> dict[str, Any]:
        """The method as a table of a study file."""
        plain = {_SPACE: self.space.reference} if isinstance(self.space, DefinedByRun) else self.space.to_plain()
        named = {} if self.regularizer == name else {_REGULARIZER: self.regularizer}
        usual = self.kind.space.priors
        priors = {
            name: {"usual": prior.usual, "spread": prior.spread}
            for name, prior in self.space.priors.items()
            if prior != usual.get(name)
        }
        own = {_PRIOR: priors} if priors else {}
        return {**named, **plain, _START: [dict(values) for values in self.space.start], **own}


def method(name: str, table: Any) -> Method:
    """The method that a study gives under ``name``, over the regularizer's default space.

    ``table``: a ``SearchSpace``, a function of an Optuna trial that returns hyperparameters, or a mapping of
    hyperparameters to domains and values. A mapping may also hold ``regularizer`` (a name or a list of names;
    ``name`` itself where absent), ``start``, ``prior`` (of each hyperparameter a table with ``usual`` and ``spread``,
    see ``search_spaces.Prior``), and ``space``: "paper" for the grid of the regularizer's paper in place
    of the default space, or a function or its ``package.module:function`` in place of hyperparameters. Raises
    ``StudyError`` with the key, the rule and the value.
    """
    key = f"regularizers.{name}"
    _check_name(key, name)
    entries: Any = table if isinstance(table, Mapping) else {_SPACE: table} if callable(table) else None
    if entries is None:
        wanted = "a SearchSpace, a table of hyperparameters or a function is wanted"
        raise StudyError(f"{key}: {wanted}, but got {short(table)}")
    names, start, priors = name, None, None
    if not isinstance(entries, SearchSpace):
        entries = dict(entries)
        names = _names(key, entries.pop(_REGULARIZER, name))
        start, priors = entries.pop(_START, None), entries.pop(_PRIOR, None)
    try:
        kind = regularizer(names)
    except TuneRegError as error:
        raise StudyError(f"{key}: {error}") from None
    if start is not None and not (isinstance(start, list | tuple) and all(isinstance(s, Mapping) for s in start)):
        raise StudyError(f"{key}.start: a list of tables is wanted, but got {short(start)}")
    base = kind.space
    if entries.get(_SPACE) == _PAPER:
        if kind.paper is None:
            raise StudyError(f"{key}.space: no paper gives a grid for {names}; leave space out")
        base = kind.paper
        del entries[_SPACE]
    if isinstance(entries, DefinedByRun) or _SPACE in entries:
        return Method(names, _of_function(key, names, kind, entries, start or []))
    try:
        given = as_space(entries)
        for entry in given:
            _check(names, kind, given, entry)
        scheduled = [p.name for p in kind.hyperparameters if f"{p.name}_schedule" in given]
        space = _conditioned(base.without(scheduled).replace(given))
    except SpaceError as error:
        raise StudyError(f"{key}.{error}") from None
    try:
        if start is not None or given.start:
            space = space.starting(start or given.start)
    except SpaceError as error:
        raise StudyError(f"{key}.start: {error}") from None
    return Method(names, _with_priors(key, space, priors or {}))


def _with_priors(key: str, space: SearchSpace, priors: Any) -> SearchSpace:
    """A space with the priors that a study gives."""
    if not isinstance(priors, Mapping):
        raise StudyError(f"{key}.prior: a table of hyperparameters is wanted, but got {priors!r}")
    try:
        return space.expecting({name: _prior(space, name, given) for name, given in priors.items()})
    except SpaceError as error:
        raise StudyError(f"{key}.prior.{error}") from None


def _prior(space: SearchSpace, name: str, given: Any) -> Prior:
    """The prior that a study gives of a hyperparameter that is searched over a range."""
    if isinstance(given, Prior):
        return given
    if not isinstance(space.domains.get(name), Float | Integer):
        raise SpaceError(f"{name}: is not searched over a range, so that it can have no prior")
    if not isinstance(given, Mapping) or set(given) != {"usual", "spread"}:
        raise SpaceError(f"{name}: a table with usual and spread is wanted, but got {given!r}")
    try:
        return Prior(given["usual"], given["spread"])
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from None


def _check_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        key = key if key.isprintable() else f"regularizers.{short(name)}"
        raise StudyError(f"{key}: a name has letters, digits, spaces and . + - _ and begins with a letter or digit")
    if len(name.encode()) > _NAME_BYTES:
        raise StudyError(f"{key}: a name has at most {_NAME_BYTES} bytes in UTF-8, but this has {len(name.encode())}")


def _of_function(key: str, names: str, kind: type[Regularizer], entries: Any, start: Any) -> SearchSpace:
    """The space of a function, once what it returned on random trials is found in order."""
    if not isinstance(entries, DefinedByRun) and len(entries) > 1:
        others = ", ".join(sorted(set(entries) - {_SPACE}))
        raise StudyError(f"{key}.space: stands in place of hyperparameters, but got {others} beside it")
    try:
        space = entries if isinstance(entries, DefinedByRun) else DefinedByRun(_function(entries[_SPACE]), start=start)
        for values in space.returned:
            as_fixed = SearchSpace(values)
            for name in as_fixed:
                _check(names, kind, as_fixed, name)
    except SpaceError as error:
        raise StudyError(f"{key}.space: {error}{raised_at(error)}") from None
    return space


def _function(given: Any) -> Any:
    function = import_function(given, "space") if isinstance(given, str) else given
    if not callable(function):
        raise SpaceError(f"a function or its package.module:function is wanted, but got {function!r}")
    return function


def _conditioned(space: SearchSpace) -> SearchSpace:
    """The space with the parameters of schedules asked for only with the kinds that have them."""
    conditions = {}
    for key, kinds in space.domains.items():
        if not (key.endswith("_schedule") and isinstance(kinds, Choice)):
            continue
        for name in space.domains:
            parameter = name.removeprefix(key.removesuffix("schedule"))
            if name in {key, parameter}:
                continue
            having = tuple(kind for kind in kinds.values if parameter in _parameters(str(kind)))
            if 0 < len(having) < len(kinds.values):
                conditions[name] = {key: having}
    return space.conditioned(conditions)


def _parameters(kind: str) -> set[str]:
    return set(inspect.signature(KINDS[kind]).parameters) if kind in KINDS else set()


def _names(key: str, given: Any) -> str:
    names = [given] if isinstance(given, str) else given
    if not (isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names)):
        raise StudyError(f"{key}.regularizer: a name or a list of names is wanted, but got {short(given)}")
    return "+".join(names)


def _check(names: str, kind: type[Regularizer], given: SearchSpace, key: str) -> None:
    """Refuse an entry that the regularizer lacks or that leaves its hard bounds."""
    hyperparameters = {p.name: p for p in kind.hyperparameters}
    entry = given[key]
    if key in hyperparameters:
        return check_bounds(hyperparameters[key], entry)
    for name in (*hyperparameters, *TrainingSettings.SCHEDULED):
        if f"{name}_schedule" in given and key.startswith(f"{name}_"):
            owner = hyperparameters.get(name) or _FACTORS[name]
            return _check_schedule(owner, given, key.removeprefix(f"{name}_"), entry)
    if key in TrainingSettings.OWN:
        return _check_setting(key, entry)
    possible = [*hyperparameters, *TrainingSettings.OWN]
    raise SpaceError(f"{key}: {names} has no such hyperparameter{did_you_mean(key, possible)}")


def check_bounds(hyperparameter: Hyperparameter, entry: Domain | Value) -> None:
    """``SpaceError`` where a value that ``entry`` allows breaks a rule of the hyperparameter."""
    for value in _extremes(entry):
        violation = hyperparameter.violation(value)
        if violation:
            raise SpaceError(f"{hyperparameter.name}: {violation}")


def _check_setting(key: str, entry: Domain | Value) -> None:
    for value in _extremes(entry):
        try:
            TrainingSettings(**{key: value})
        except ValidationError as error:
            detail = error.errors()[0]
            cause = detail.get("ctx", {}).get("error")
            rule = cause or f"{rule_of(detail['type'], detail['msg'])}, but got {short(value)}"
            raise SpaceError(f"{key}: {rule}") from None


def _check_schedule(hyperparameter: Hyperparameter, given: SearchSpace, parameter: str, entry: Domain | Value) -> None:
    name = hyperparameter.name
    if hyperparameter.is_choice:
        raise SpaceError(f"{name}: is fixed within a run and takes no schedule")
    kinds = _extremes(given[f"{name}_schedule"])
    if parameter == "schedule":
        for kind in kinds:
            _check_kind(hyperparameter, str(kind))
        return
    possible = {p for kind in kinds for p in _parameters(str(kind))}
    if parameter not in possible:
        raise SpaceError(f"{name}_{parameter}: no such parameter{did_you_mean(parameter, sorted(possible))}")
    if parameter in ("value", "start", "end"):  # these are values of the hyperparameter itself
        for value in _extremes(entry):
            violation = hyperparameter.violation(value)
            if violation:
                raise SpaceError(f"{name}_{parameter}: {violation}")


def _check_kind(hyperparameter: Hyperparameter, kind: str) -> None:
    """Refuse an unknown kind, or a whole schedule that leaves the hyperparameter's bounds."""
    key = f"{hyperparameter.name}_schedule"
    try:
        alone = schedule_from_text(kind)
    except ValueError as error:
        raise SpaceError(f"{key}: {error}") from None
    if alone is None:
        if kind not in KINDS:
            raise SpaceError(f"{key}: unknown schedule {kind!r}{did_you_mean(kind, [*KINDS, *PRESETS])}")
        return
    # Any schedule here is monotone or constant between its boundaries.
    for i in range(201):
        violation = hyperparameter.violation(float(alone(i / 200)))
        if violation:
            raise SpaceError(f"{key}: {violation} at {i / 200:.0%} of the training")


def _extremes(entry: Domain | Value) -> tuple[Any, ...]:
    if isinstance(entry, Choice):
        return entry.values
    return (entry.low, entry.high) if isinstance(entry, Domain) else (entry,)

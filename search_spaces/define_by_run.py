"""A search space as a function of an Optuna trial, for what ranges and conditions cannot say."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from search_spaces.domains import Domain, SpaceError, Value, widened
from search_spaces.space import SearchSpace

Function = Callable[[Any], Mapping[str, Value]]

#: Random trials on which the function is run to learn what it asks for.
_TRIES: Final = 64
#: Trials at the ends of ranges, on which it is run to learn how far ranges reach that depend on other values.
_TRIES_AT_THE_ENDS: Final = 16


class DefinedByRun(SearchSpace):
    """A search space as a function: ``function(trial)`` asks an ``optuna.Trial`` and returns the hyperparameters.

    The function returns a mapping of names to values. Its ranges may depend on values that it was given before, and it
    may raise ``optuna.TrialPruned`` where values do not go together. It is run on a few trials: the widest ranges that
    it asks for then are the domains of the space, and ``returned`` holds the mappings that it returned. Raises
    ``SpaceError`` where the function fails, asks for nothing, or prunes everything.

    >>> def space(trial):
    ...     mode = trial.suggest_categorical("mode", ["coupled", "decoupled"])
    ...     alpha = trial.suggest_float("alpha", 0, 8) if mode == "coupled" else 0.0
    ...     return {"mode": mode, "alpha": alpha}
    >>> sorted(DefinedByRun(space).domains)
    ['alpha', 'mode']
    """

    def __init__(
        self, function: Function, *, beside: SearchSpace | None = None, start: Sequence[Mapping[str, Value]] = ()
    ) -> None:
        self.function = function
        self.beside = beside or SearchSpace()
        asked, self.returned = _tried(function)
        super().__init__({**asked, **self.beside})
        self.start = tuple(dict(values) for values in start)
        for values in self.start:
            fault = self._fault_of_start(values)
            if fault is not None:
                raise SpaceError(fault)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DefinedByRun)
            and (self.reference, self.digest) == (other.reference, other.digest)
            and super().__eq__(other)
        )

    __hash__ = SearchSpace.__hash__

    @property
    def reference(self) -> str:
        """The function as ``package.module:function``."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def digest(self) -> str:
        """A digest of the function's source, where there is one, which says whether the function has changed."""
        try:
            source = inspect.getsource(self.function)
        except (OSError, TypeError):
            source = ""
        return hashlib.sha256(source.encode()).hexdigest()[:16]

    def suggest(self, trial: Any) -> dict[str, Value]:
        """The hyperparameters that the function returns for an Optuna trial, and those of ``beside``.

        Raises ``SpaceError`` where it fails, and lets ``optuna.TrialPruned`` through.
        """
        return {**_called(self.function, trial), **self.beside.suggest(trial)}

    def admits(self, values: Mapping[str, Value]) -> bool:
        """Whether ``values`` may be a starting point: the function asks for ranges that have them, and prunes none."""
        return self._fault_of_start(values) is None

    def starting(self, start: Sequence[Mapping[str, Value]]) -> DefinedByRun:
        """This space with other starting points."""
        return DefinedByRun(self.function, beside=self.beside, start=start)

    def extended(self, name: str, domain: Domain, *, start: Mapping[str, Value]) -> DefinedByRun:
        """This space with ``name`` searched as well; ``start`` is added to each starting point."""
        beside = SearchSpace({**self.beside, name: domain})
        return DefinedByRun(self.function, beside=beside, start=[{**values, **start} for values in self.start])

    def _fault_of_start(self, values: Mapping[str, Value]) -> str | None:
        """Why ``values`` cannot be a starting point, or None where they can.

        The function is run with them: a range may depend on the other values. Names without a value are drawn, and one
        draw in which all values fit is enough.
        """
        from search_spaces.to_optuna import Pruned, domain_from_optuna, random_trials, values_outside_accepted

        for name, value in values.items():
            if name not in self.domains:
                return f"a starting point gives {name}, which is not searched: {sorted(self.domains)}"
            if name in self.beside and not self.domains[name].contains(value):
                return f"a starting point lies outside its range: {name}={value!r}, range {self.domains[name]}"
        fault = None
        of_function = {name: value for name, value in values.items() if name not in self.beside}
        with values_outside_accepted():
            for trial in random_trials(1 if len(values) == len(self.domains) else _TRIES, given=of_function):
                try:
                    _called(self.function, trial)
                except Pruned:
                    fault = f"a starting point is pruned by the function: {dict(values)}"
                    continue
                outside = [
                    f"{name}={values[name]!r}, range {domain}"
                    for name, domain in _domains(trial, domain_from_optuna).items()
                    if name in values and not domain.contains(values[name])
                ]
                if not outside:
                    return None
                fault = f"a starting point lies outside the range that the function asks for there: {outside[0]}"
        return fault


def _tried(function: Function) -> tuple[dict[str, Domain], list[dict[str, Value]]]:
    """The widest ranges that the function asks for on a few trials, and what it returns on random ones."""
    from search_spaces.to_optuna import Pruned, domain_from_optuna, random_trials, trials_at_the_ends

    asked: dict[str, Domain] = {}
    returned = []
    for trial in random_trials(_TRIES):
        with contextlib.suppress(Pruned):
            returned.append(_called(function, trial))
        _widen(asked, _domains(trial, domain_from_optuna))
    name = _name(function)
    if not returned:
        raise SpaceError(f"{name} prunes each of {_TRIES} random trials; widen its ranges, or prune less")
    if not asked:
        raise SpaceError(
            f"{name} asks its trial for nothing, so there is nothing to search; call trial.suggest_float and its like, "
            "or give fixed values as a table"
        )
    for trial in trials_at_the_ends(_TRIES_AT_THE_ENDS):
        try:
            _called(function, trial)
        except (SpaceError, Pruned):
            continue  # a range may be empty at the very end of another, which no drawn value meets
        _widen(asked, _domains(trial, domain_from_optuna))
    return asked, returned


def _domains(trial: Any, convert: Callable[[Any], Domain]) -> dict[str, Domain]:
    return {name: convert(distribution) for name, distribution in trial.distributions.items()}


def _widen(asked: dict[str, Domain], domains: Mapping[str, Domain]) -> None:
    for name, domain in domains.items():
        asked[name] = widened(asked.get(name, domain), domain)


def _called(function: Function, trial: Any) -> dict[str, Value]:
    """What the function returns for a trial; ``SpaceError`` in one line where it fails."""
    from search_spaces.to_optuna import Pruned

    try:
        values = function(trial)
    except Pruned:
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        what = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise SpaceError(f"{_name(function)} raised {what}") from error
    if not isinstance(values, Mapping) or not all(isinstance(v, int | float | str) for v in values.values()):
        got = " ".join(repr(values).split())
        raise SpaceError(
            f"{_name(function)} must return a mapping of hyperparameters to numbers or text, but got {got}"
        )
    return {str(name): value for name, value in values.items()}


def _name(function: Function) -> str:
    return getattr(function, "__qualname__", repr(function))

"""A search space as a function of an Optuna trial, for what ranges and conditions cannot say."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from search_spaces.domains import Domain, SpaceError, Value
from search_spaces.space import SearchSpace

Function = Callable[[Any], Mapping[str, Value]]

#: Random trials on which the function is run to learn what it asks for.
_TRIES: Final = 64


class DefinedByRun(SearchSpace):
    """A search space as a function: ``function(trial)`` asks an ``optuna.Trial`` and returns the hyperparameters.

    The function returns a mapping of names to values. It is run on a few random trials: the ranges that it asks for
    then are the domains of the space, and ``returned`` holds the mappings that it returned. Raises ``SpaceError`` where
    the function fails.

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
        super().__init__({**asked, **self.beside}, start=start)

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
        """The hyperparameters that the function returns for an Optuna trial, and those of ``beside``."""
        return {**dict(self.function(trial)), **self.beside.suggest(trial)}

    def starting(self, start: Sequence[Mapping[str, Value]]) -> DefinedByRun:
        """This space with other starting points."""
        return DefinedByRun(self.function, beside=self.beside, start=start)

    def extended(self, name: str, domain: Domain, *, start: Mapping[str, Value]) -> DefinedByRun:
        """This space with ``name`` searched as well; ``start`` is added to each starting point."""
        beside = SearchSpace({**self.beside, name: domain})
        return DefinedByRun(self.function, beside=beside, start=[{**values, **start} for values in self.start])


def _tried(function: Function) -> tuple[dict[str, Domain], list[dict[str, Value]]]:
    """The ranges that the function asks for on random trials, and what it returns."""
    from search_spaces.to_optuna import domain_from_optuna, random_trials

    asked: dict[str, Domain] = {}
    returned = []
    name = getattr(function, "__qualname__", repr(function))
    for trial in random_trials(_TRIES):
        try:
            values = function(trial)
        except Exception as error:
            raise SpaceError(f"{name} raised {type(error).__name__}: {str(error).splitlines()[0]}") from error
        if not isinstance(values, Mapping) or not all(isinstance(v, int | float | str) for v in values.values()):
            raise SpaceError(f"{name} must return a mapping of hyperparameters to numbers or text, but got {values!r}")
        returned.append({str(key): value for key, value in values.items()})
        asked |= {key: domain_from_optuna(distribution) for key, distribution in trial.distributions.items()}
    return asked, returned

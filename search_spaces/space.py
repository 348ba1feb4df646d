"""A search space: each hyperparameter's domain or fixed value, and where to start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.conditional import Condition, Conditional, holds, ordered
from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value
from search_spaces.given_values import GivenValues
from search_spaces.plain import entry_with_condition
from search_spaces.priors import Prior
from search_spaces.scheduled import ScheduleSpace

if TYPE_CHECKING:
    from search_spaces.to_optuna import Distribution


class SearchSpace(Mapping[str, Domain | Value]):
    """A search space: maps a hyperparameter's name to its domain, or to the value it is fixed at.

    ``start``: configurations to try first (a paper's published values, say); each gives some or all of the
    searched names. ``priors``: the usual value and the spread of names that are searched. A search space is immutable
    and compares by value.

    >>> from search_spaces import SearchSpace, loguniform
    >>> space = SearchSpace({"weight_decay": loguniform(1e-6, 1e-2)}, start=[{"weight_decay": 5e-4}])
    >>> sorted(space.to_optuna())
    ['weight_decay']
    """

    def __init__(
        self,
        entries: Mapping[str, Any] | None = None,
        *,
        start: Sequence[Mapping[str, Value]] = (),
        priors: Mapping[str, Prior] | None = None,
    ) -> None:
        self._entries: dict[str, Domain | Value] = {}
        #: The conditions of the names that are searched only where other names have certain values.
        self.conditions: dict[str, Condition] = {}
        for name, entry in (entries or {}).items():
            flat = entry.flat(name) if isinstance(entry, ScheduleSpace) else {name: entry}
            for key, part in flat.items():
                if isinstance(part, Conditional):
                    self.conditions[key] = dict(part.condition)
                    part = part.domain  # noqa: PLW2901 - the entry without its condition
                self._entries[key] = part
        self._check_conditions()
        #: What is known beforehand of names that are searched over a range. A name without a range keeps none.
        self.priors: dict[str, Prior] = {
            name: prior for name, prior in (priors or {}).items() if _fits(name, self._entries.get(name), prior)
        }
        self.start: tuple[dict[str, Value], ...] = tuple(dict(values) for values in start)
        for values in self.start:
            for name, value in values.items():
                domain = self.domains.get(name)
                if domain is None:
                    raise SpaceError(f"a starting point gives {name}, which is not searched: {sorted(self.domains)}")
                if not domain.contains(value):
                    raise SpaceError(f"a starting point lies outside its range: {name}={value!r}, range {domain}")

    def __getitem__(self, name: str) -> Domain | Value:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SearchSpace)
            and (self._entries, self.conditions, self.start)
            == (
                other._entries,
                other.conditions,
                other.start,
            )
            and self.priors == other.priors
        )

    def __hash__(self) -> int:
        return hash((tuple(sorted(self._entries)), len(self.start)))

    def __repr__(self) -> str:
        start = f", start={list(self.start)}" if self.start else ""
        conditions = f", conditions={self.conditions}" if self.conditions else ""
        return f"SearchSpace({self._entries}{conditions}{start})"

    @property
    def domains(self) -> dict[str, Domain]:
        """The names that are searched."""
        return {name: entry for name, entry in self._entries.items() if isinstance(entry, Domain)}

    @property
    def fixed(self) -> dict[str, Value]:
        """The names that are fixed, with their values."""
        return {name: entry for name, entry in self._entries.items() if not isinstance(entry, Domain)}

    def replace(self, entries: Mapping[str, Domain | Value]) -> SearchSpace:
        """This space with ``entries`` in place of its own; starting points keep values that are searched and in range.

        A name of ``entries`` has the condition that ``entries`` gives it, or none.
        """
        replacing = entries if isinstance(entries, SearchSpace) else SearchSpace(entries)
        merged = {**self._entries, **replacing}
        conditions = {name: of for name, of in self.conditions.items() if name not in replacing} | replacing.conditions
        # A name whose condition cannot hold any more, because the other name is fixed, is left out.
        kept_names = [
            name
            for name in merged
            if not any(
                other in merged and not isinstance(merged[other], Domain) and merged[other] not in wanted
                for other, wanted in conditions.get(name, {}).items()
            )
        ]
        start = []
        for values in self.start:
            kept = {
                name: value
                for name, value in values.items()
                if name in kept_names and isinstance(domain := merged[name], Domain) and domain.contains(value)
            }
            if kept and kept not in start:
                start.append(kept)
        # A spread is a factor in a logarithm, and else a difference: it says nothing of a range of the other kind.
        kept_priors = {
            name: prior
            for name, prior in self.priors.items()
            if getattr(merged[name], "log", None) == getattr(self._entries[name], "log", None)
        }
        priors = {**kept_priors, **replacing.priors}
        made = SearchSpace({name: merged[name] for name in kept_names}, start=start, priors=priors)
        return made.conditioned({name: _undecided(conditions.get(name, {}), made) for name in made})

    def without(self, names: Collection[str]) -> SearchSpace:
        """This space without ``names``, in starting points and conditions too."""
        start = [{name: v for name, v in values.items() if name not in names} for values in self.start]
        kept = {name: entry for name, entry in self._entries.items() if name not in names}
        conditions = {
            name: {other: wanted for other, wanted in of.items() if other not in names}
            for name, of in self.conditions.items()
        }
        made = SearchSpace(kept, priors=self.priors).conditioned(conditions)
        return made.starting([values for values in start if values])

    def conditioned(self, conditions: Mapping[str, Condition]) -> SearchSpace:
        """This space with more conditions; empty ones, and those of names that are not searched, are ignored."""
        made = SearchSpace(self._entries, start=self.start, priors=self.priors)
        for name in self._entries:
            of = {**self.conditions.get(name, {}), **conditions.get(name, {})}
            if of and isinstance(self._entries[name], Domain):
                made.conditions[name] = of
        made._check_conditions()
        return made

    def starting(self, start: Sequence[Mapping[str, Value]]) -> SearchSpace:
        """This space with other starting points."""
        return SearchSpace(self._entries, start=start, priors=self.priors).conditioned(self.conditions)

    def expecting(self, priors: Mapping[str, Prior]) -> SearchSpace:
        """This space with more priors, or others in their place."""
        made = SearchSpace(self._entries, start=self.start, priors={**self.priors, **priors})
        return made.conditioned(self.conditions)

    def extended(self, name: str, domain: Domain, *, start: Mapping[str, Value]) -> SearchSpace:
        """This space with ``name`` searched as well; ``start`` is added to each starting point."""
        wider = SearchSpace({**self._entries, name: domain}, priors=self.priors).conditioned(self.conditions)
        return wider.starting([{**values, **start} for values in self.start])

    def active(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether ``name`` is in use where the other names have ``values``."""
        return holds(self.conditions.get(name, {}), {**self.fixed, **values})

    def suggest(self, trial: Any) -> dict[str, Value]:
        """Ask an Optuna trial for every name that is in use; the values asked for, and the fixed ones.

        >>> import optuna
        >>> space = SearchSpace({"alpha": Float(0.0, 8.0), "mode": "coupled"})
        >>> sorted(space.suggest(optuna.trial.FixedTrial({"alpha": 4.0})).items())
        [('alpha', 4.0), ('mode', 'coupled')]
        """
        values: dict[str, Value] = {}
        for name in self._order:
            if not self.active(name, values):
                continue
            match self._entries[name]:
                case Float(low, high, log):
                    values[name] = trial.suggest_float(name, low, high, log=log)
                case Integer(low, high, log):
                    values[name] = trial.suggest_int(name, low, high, log=log)
                case Choice(choices):
                    values[name] = trial.suggest_categorical(name, choices)
                case value:
                    values[name] = value
        return {name: values[name] for name in self._entries if name in values}

    def admits(self, values: Mapping[str, Value]) -> bool:
        """Whether ``values``, each of which lies in the domain of its name, may be a starting point together."""
        del values
        return True

    def complete(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Every hyperparameter in use where the searched names have ``values``, fixed ones included.

        As ``suggest`` with an Optuna ``FixedTrial(values)``, without Optuna. ``values`` of names that are not in use
        are ignored. Raises ``SpaceError`` for a name in use without a value.

        >>> space = SearchSpace({"alpha": Float(0.0, 8.0), "mode": "coupled"})
        >>> space.complete({"alpha": 4.0})
        {'alpha': 4.0, 'mode': 'coupled'}
        """
        return self.suggest(GivenValues(values))

    def to_plain(self) -> dict[str, Any]:
        """Each entry as a study file gives it, with its condition; starting points are left out."""
        return {name: entry_with_condition(entry, self.conditions.get(name)) for name, entry in self._entries.items()}

    def _check_conditions(self) -> None:
        """Raise ``SpaceError`` for a condition that cannot be met, and order the names by their conditions."""
        for name, condition in self.conditions.items():
            for other, wanted in condition.items():
                entry = self._entries.get(other)
                if other == name or entry is None:
                    raise SpaceError(f"{name}: its condition names {other}, which is not in the space")
                possible = (
                    entry.values if isinstance(entry, Choice) else None if isinstance(entry, Domain) else (entry,)
                )
                if possible is None:
                    raise SpaceError(f"{name}: its condition names {other}, which is a range; only choices can decide")
                never = [value for value in wanted if value not in possible]
                if never:
                    raise SpaceError(f"{name}: its condition wants {other} = {never[0]!r}, which is none of {possible}")
        self._order = ordered(list(self._entries), self.conditions)

    def to_optuna(self) -> dict[str, Distribution]:
        """The searched names as Optuna's distributions, for ``study.ask(fixed_distributions=...)``.

        Conditions are left out, as in ``to_tune``: Optuna asks for a name that is not in use all the same, and its
        value has no effect. ``suggest`` obeys conditions.
        """
        from search_spaces.to_optuna import optuna_distribution

        return {name: optuna_distribution(domain) for name, domain in self.domains.items()}

    def to_tune(self) -> dict[str, Any]:
        """Every name as ``ray.tune`` takes it in ``param_space``: a Tune domain, or the fixed value."""
        from search_spaces.to_tune import tune_domain

        return {
            name: tune_domain(entry) if isinstance(entry, Domain) else entry for name, entry in self._entries.items()
        }


def _fits(name: str, entry: Domain | Value | None, prior: Prior) -> bool:
    """Whether an entry has a range, so that its prior means something; ``SpaceError`` where the two contradict."""
    if not isinstance(entry, Float | Integer):
        return False
    if entry.log and prior.usual <= 0:
        raise SpaceError(f"{name}: its prior must have usual > 0, as it is searched in its logarithm, got {prior}")
    if entry.log and prior.spread <= 1:
        raise SpaceError(f"{name}: the spread of its prior is a factor, and must be > 1, but got {prior.spread:g}")
    return True


def _undecided(condition: Condition, entries: Mapping[str, Domain | Value]) -> Condition:
    """The part of a condition that names with a domain decide, and not fixed values."""
    return {other: wanted for other, wanted in condition.items() if isinstance(entries.get(other), Domain)}

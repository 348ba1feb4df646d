"""A search space: each hyperparameter's domain or fixed value, and where to start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.conditional import Condition, Conditional, holds, ordered, when
from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value
from search_spaces.scheduled import ScheduleSpace, schedule

if TYPE_CHECKING:
    import optuna


class SearchSpace(Mapping[str, Domain | Value]):
    """Maps a hyperparameter's name to its domain, or to the value it is fixed at.

    ``start``: configurations to try first (a paper's published values, say); each gives some or all of the
    searched names. A search space is immutable and compares by value.

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
    ) -> None:
        self._entries: dict[str, Domain | Value] = {}
        #: Of the names that are searched only where others have certain values.
        self.conditions: dict[str, Condition] = {}
        for name, entry in (entries or {}).items():
            flat = entry.flat(name) if isinstance(entry, ScheduleSpace) else {name: entry}
            for key, part in flat.items():
                if isinstance(part, Conditional):
                    self.conditions[key] = dict(part.condition)
                    part = part.domain  # noqa: PLW2901 - the entry without its condition
                self._entries[key] = part
        self._checked()
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
        return isinstance(other, SearchSpace) and (self._entries, self.conditions, self.start) == (
            other._entries,
            other.conditions,
            other.start,
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
        """The same space with ``entries`` over its own; starting points keep what still is searched and inside.

        A name that is given anew has the condition that ``entries`` gives it, or none.
        """
        given = entries if isinstance(entries, SearchSpace) else SearchSpace(entries)
        merged = {**self._entries, **given}
        conditions = {name: of for name, of in self.conditions.items() if name not in given} | given.conditions
        # A condition on a name that is fixed now is decided.
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
        made = SearchSpace({name: merged[name] for name in kept_names}, start=start)
        return made.conditioned({name: _undecided(conditions.get(name, {}), made) for name in made})

    def without(self, names: Collection[str]) -> SearchSpace:
        """The same space without ``names``, in starting points and conditions too."""
        start = [{name: v for name, v in values.items() if name not in names} for values in self.start]
        kept = {name: entry for name, entry in self._entries.items() if name not in names}
        conditions = {
            name: {other: wanted for other, wanted in of.items() if other not in names}
            for name, of in self.conditions.items()
        }
        return SearchSpace(kept).conditioned(conditions).starting([values for values in start if values])

    def conditioned(self, conditions: Mapping[str, Condition]) -> SearchSpace:
        """The same space with more conditions; those on names that are not in it, or empty, are passed over."""
        made = SearchSpace(self._entries, start=self.start)
        for name in self._entries:
            of = {**self.conditions.get(name, {}), **conditions.get(name, {})}
            if of and isinstance(self._entries[name], Domain):
                made.conditions[name] = of
        return made._checked()

    def starting(self, start: Sequence[Mapping[str, Value]]) -> SearchSpace:
        """The same space with other starting points."""
        return SearchSpace(self._entries, start=start).conditioned(self.conditions)

    def extended(self, name: str, domain: Domain, *, start: Mapping[str, Value]) -> SearchSpace:
        """The same space with ``name`` searched as well; ``start`` is added to each starting point."""
        wider = SearchSpace({**self._entries, name: domain}).conditioned(self.conditions)
        return wider.starting([{**values, **start} for values in self.start])

    def active(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether ``name`` is in use where the others have ``values``."""
        return holds(self.conditions.get(name, {}), {**self.fixed, **values})

    def suggest(self, trial: Any) -> dict[str, Value]:
        """Ask an Optuna trial for every name that is in use; fixed ones with their values.

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

    def to_plain(self) -> dict[str, Any]:
        """Each entry as it stands in a study file, with its condition; starting points are not among them."""
        return {name: _with_condition(entry, self.conditions.get(name)) for name, entry in self._entries.items()}

    def _checked(self) -> SearchSpace:
        """Itself, once its conditions are found in order."""
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
        return self

    def to_optuna(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """The searched names as Optuna's distributions, for ``study.ask(fixed_distributions=...)``.

        Conditions are left out, as in ``to_tune``: a name that is not in use is asked for all the same, and what it
        is does not matter. ``suggest`` knows them.
        """
        from search_spaces.convert import optuna_distribution

        return {name: optuna_distribution(domain) for name, domain in self.domains.items()}

    def to_tune(self) -> dict[str, Any]:
        """Every name as ``ray.tune`` wants it in ``param_space``: a Tune domain, or the fixed value."""
        from search_spaces.convert import tune_domain

        return {
            name: tune_domain(entry) if isinstance(entry, Domain) else entry for name, entry in self._entries.items()
        }


def _undecided(condition: Condition, entries: Mapping[str, Domain | Value]) -> Condition:
    """What of a condition is not decided by values that are fixed."""
    return {other: wanted for other, wanted in condition.items() if isinstance(entries.get(other), Domain)}


def _with_condition(entry: Domain | Value, condition: Condition | None) -> Any:
    plain = entry_to_plain(entry)
    if condition is None:
        return plain
    table = {"choices": plain} if isinstance(plain, list) else plain
    return {**table, "when": {name: list(wanted) for name, wanted in condition.items()}}


def entry_to_plain(entry: Domain | Value) -> Any:
    """An entry as it stands in a study file: a table with ``low`` and ``high``, a list, or the value itself."""
    match entry:
        case Float(low, high, log):
            return {"low": low, "high": high, **({"log": True} if log else {})}
        case Integer(low, high, log):
            return {"low": low, "high": high, "integer": True, **({"log": True} if log else {})}
        case Choice(values):
            return list(values)
        case _:
            return entry


def entry_from_plain(plain: object) -> Domain | Value | ScheduleSpace | Conditional:
    """The entry that a study file gives: the inverse of ``entry_to_plain``.

    >>> entry_from_plain({"low": 1e-6, "high": 1e-2, "log": True})
    Float(low=1e-06, high=0.01, log=True)
    """
    if isinstance(plain, Domain | ScheduleSpace | Conditional):
        return plain
    if isinstance(plain, list | tuple):
        tables = plain and all(isinstance(item, Mapping) for item in plain)
        return schedule(list(plain)) if tables else Choice(tuple(plain))
    if isinstance(plain, Mapping):
        return _of_table(plain)
    if isinstance(plain, float | int | str | bool):
        return plain
    raise SpaceError(f"a value, a list of choices or a table with low and high is wanted, but got {plain!r}")


def _of_table(plain: Mapping[str, Any]) -> Domain | ScheduleSpace | Conditional:
    if "when" in plain:
        rest = {key: value for key, value in plain.items() if key != "when"}
        domain = _simple("when", rest["choices"] if set(rest) == {"choices"} else rest)
        if not isinstance(plain["when"], Mapping) or not isinstance(domain, Domain):
            raise SpaceError(f"when is a table of names and values beside a range or choices, but got {dict(plain)!r}")
        return when(domain, **plain["when"])
    if "kind" in plain:
        return schedule(plain)
    if "schedule" in plain:
        parameters = {str(key): _simple(key, value) for key, value in plain.items() if key != "schedule"}
        return schedule(plain["schedule"], **parameters)
    return _range(dict(plain))


def _simple(key: object, plain: object) -> Domain | Value:
    entry = entry_from_plain(plain)
    if isinstance(entry, ScheduleSpace | Conditional):
        raise SpaceError(f"{key}: a value, a range or choices alone are wanted here, but got {plain!r}")
    return entry


def _range(plain: dict[str, Any]) -> Domain:
    unknown = set(plain) - {"low", "high", "log", "integer"}
    if unknown or not {"low", "high"} <= set(plain):
        raise SpaceError(f"a range has the keys low, high and, if wanted, log and integer, but got {sorted(plain)}")
    for flag in ("log", "integer"):
        if not isinstance(plain.get(flag, False), bool):
            raise SpaceError(f"{flag} must be true or false, but got {plain[flag]!r}")
    low, high, log = plain["low"], plain["high"], plain.get("log", False)
    if plain.get("integer", False):
        return Integer(low, high, log=log)
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpaceError(f"{name} must be a finite number, but got {name}={value!r}")
    return Float(float(low), float(high), log=log)

"""A search space: each hyperparameter's domain or fixed value, and where to start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
        entries: Mapping[str, Domain | Value] | Mapping[str, Domain | Value | ScheduleSpace] | None = None,
        *,
        start: Sequence[Mapping[str, Value]] = (),
    ) -> None:
        self._entries: dict[str, Domain | Value] = {}
        for name, entry in (entries or {}).items():
            self._entries |= entry.flat(name) if isinstance(entry, ScheduleSpace) else {name: entry}
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
        return isinstance(other, SearchSpace) and (self._entries, self.start) == (other._entries, other.start)

    def __hash__(self) -> int:
        return hash((tuple(sorted(self._entries)), len(self.start)))

    def __repr__(self) -> str:
        start = f", start={list(self.start)}" if self.start else ""
        return f"SearchSpace({self._entries}{start})"

    @property
    def domains(self) -> dict[str, Domain]:
        """The names that are searched."""
        return {name: entry for name, entry in self._entries.items() if isinstance(entry, Domain)}

    @property
    def fixed(self) -> dict[str, Value]:
        """The names that are fixed, with their values."""
        return {name: entry for name, entry in self._entries.items() if not isinstance(entry, Domain)}

    def replace(self, entries: Mapping[str, Domain | Value]) -> SearchSpace:
        """The same space with ``entries`` over its own; starting points keep what still is searched and inside."""
        merged = {**self._entries, **entries}
        start = []
        for values in self.start:
            kept = {
                name: value
                for name, value in values.items()
                if isinstance(domain := merged.get(name), Domain) and domain.contains(value)
            }
            if kept and kept not in start:
                start.append(kept)
        return SearchSpace(merged, start=start)

    def to_optuna(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """The searched names as Optuna's distributions, for ``study.ask(fixed_distributions=...)``."""
        from search_spaces.convert import optuna_distribution

        return {name: optuna_distribution(domain) for name, domain in self.domains.items()}

    def to_tune(self) -> dict[str, Any]:
        """Every name as ``ray.tune`` wants it in ``param_space``: a Tune domain, or the fixed value."""
        from search_spaces.convert import tune_domain

        return {
            name: tune_domain(entry) if isinstance(entry, Domain) else entry for name, entry in self._entries.items()
        }


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


def entry_from_plain(plain: object) -> Domain | Value | ScheduleSpace:
    """The entry that a study file gives: the inverse of ``entry_to_plain``.

    >>> entry_from_plain({"low": 1e-6, "high": 1e-2, "log": True})
    Float(low=1e-06, high=0.01, log=True)
    """
    if isinstance(plain, Domain | ScheduleSpace):
        return plain
    if isinstance(plain, list | tuple):
        tables = plain and all(isinstance(item, Mapping) for item in plain)
        return schedule(list(plain)) if tables else Choice(tuple(plain))
    if isinstance(plain, Mapping):
        return _of_table(plain)
    if isinstance(plain, float | int | str | bool):
        return plain
    raise SpaceError(f"a value, a list of choices or a table with low and high is wanted, but got {plain!r}")


def _of_table(plain: Mapping[str, Any]) -> Domain | ScheduleSpace:
    if "kind" in plain:
        return schedule(plain)
    if "schedule" in plain:
        parameters = {str(key): _simple(key, value) for key, value in plain.items() if key != "schedule"}
        return schedule(plain["schedule"], **parameters)
    return _range(dict(plain))


def _simple(key: object, plain: object) -> Domain | Value:
    entry = entry_from_plain(plain)
    if isinstance(entry, ScheduleSpace):
        raise SpaceError(f"{key}: a parameter of a schedule has no schedule of its own, but got {plain!r}")
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

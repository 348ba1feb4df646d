"""Entries of a search space as they stand in a study file: tables, lists and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.conditional import Condition, Conditional, when
from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value
from search_spaces.scheduled import ScheduleSpace, schedule


def entry_with_condition(entry: Domain | Value, condition: Condition | None) -> Any:
    """An entry and the condition under which it is searched, as a study file gives them."""
    plain = entry_to_plain(entry)
    if condition is None:
        return plain
    table = {"choices": plain} if isinstance(plain, list) else plain
    return {**table, "when": {name: list(wanted) for name, wanted in condition.items()}}


def entry_to_plain(entry: Domain | Value) -> Any:
    """An entry as a study file gives it: a table with ``low`` and ``high``, a list, or the value itself.

    >>> entry_to_plain(Float(0.0, 1.0))
    {'low': 0.0, 'high': 1.0}
    """
    match entry:
        case Float(low, high, log):
            return {"low": low, "high": high, **({"log": True} if log else {})}
        case Integer(low, high, log):
            return {"low": low, "high": high, "integer": True, **({"log": True} if log else {})}
        case Choice(values):
            return list(values)
        case _:
            return entry


def entry_to_table(entry: Domain | Value) -> dict[str, Any]:
    """An entry as results have it: always a table, also for choices and values.

    >>> entry_to_table(Choice((1, 2))), entry_to_table(0.5)
    ({'choices': [1, 2]}, {'value': 0.5})
    """
    plain = entry_to_plain(entry)
    if isinstance(plain, list):
        return {"choices": plain}
    return plain if isinstance(plain, dict) else {"value": plain}


def entry_from_plain(plain: object) -> Domain | Value | ScheduleSpace | Conditional:
    """The entry of a search space that a study file gives: the inverse of ``entry_to_plain``.

    >>> entry_from_plain({"low": 1e-6, "high": 1e-2, "log": True})
    Float(low=1e-06, high=0.01, log=True)
    """
    if isinstance(plain, Domain | ScheduleSpace | Conditional):
        return plain
    if isinstance(plain, list | tuple):
        tables = plain and all(isinstance(item, Mapping) for item in plain)
        return schedule(list(plain)) if tables else Choice(tuple(plain))
    if isinstance(plain, Mapping):
        return _from_table(plain)
    if isinstance(plain, float | int | str | bool):
        return plain
    raise SpaceError(f"a value, a list of choices or a table with low and high is wanted, but got {plain!r}")


def _from_table(plain: Mapping[str, Any]) -> Domain | ScheduleSpace | Conditional:
    if "when" in plain:
        without_condition = {key: value for key, value in plain.items() if key != "when"}
        only_choices = set(without_condition) == {"choices"}
        domain = _unconditional("when", without_condition["choices"] if only_choices else without_condition)
        if not isinstance(plain["when"], Mapping) or not isinstance(domain, Domain):
            raise SpaceError(f"when is a table of names and values beside a range or choices, but got {dict(plain)!r}")
        return when(domain, **plain["when"])
    if "kind" in plain:
        return schedule(plain)
    if "schedule" in plain:
        parameters = {str(key): _unconditional(key, value) for key, value in plain.items() if key != "schedule"}
        return schedule(plain["schedule"], **parameters)
    return _range(dict(plain))


def _unconditional(key: object, plain: object) -> Domain | Value:
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

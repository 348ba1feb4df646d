"""Whether one study grows from another: it asks for more of what the other one asks for, and for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Keys whose value may grow: numbers become larger, lists longer.
_MAY_GROW: Final = (
    "search.trials",
    "confirm.seeds",
    "fractions",
    "images_per_class",
    "search.fractions",
    "search.images_per_class",
)
#: Beginnings of keys whose value may change at will: no finished run depends on it.
_MAY_CHANGE: Final = ("baseline", "resources.", "robustness.", "tracking")

#: What a key means in a study that was begun before there was a choice.
_BEFORE: Final[Mapping[str, Any]] = {"search.shared_values": False}


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """The keys in which two studies differ other than by growth, as ``key is VALUE there and VALUE here``.

    ``stored``, ``asked``: the studies as plain tables, as ``Study.to_plain`` gives them.

    >>> differences({"seed": 0, "search": {"trials": 8}}, {"seed": 1, "search": {"trials": 16}})
    ['seed is 0 there and 1 here']
    """
    old, new = _flat(stored), _flat(asked)
    stored_methods = tuple(f"regularizers.{name}." for name in stored.get("regularizers", {}))
    lines = []
    for key in sorted({*old, *new}):
        was, is_now = old.get(key, _BEFORE.get(key)), new.get(key)
        new_method = key.startswith("regularizers.") and not key.startswith(stored_methods)
        if was == is_now or key.startswith(_MAY_CHANGE) or new_method:
            continue
        if key in _MAY_GROW and was is not None and is_now is not None:
            if _grows(was, is_now):
                continue
            lines.append(f"{key} is {was!r} there and can only grow, but is {is_now!r} here")
        else:
            lines.append(f"{key} is {old.get(key, 'absent')!r} there and {new.get(key, 'absent')!r} here")
    return lines


def _grows(was: Any, is_now: Any) -> bool:
    return set(was) <= set(is_now) if isinstance(was, list) else bool(was <= is_now)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat

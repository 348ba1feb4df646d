"""Regularizers that were registered in Python, in no plugin: how other processes come to have them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tune_reg.errors import TuneRegError
from tune_reg.regularizers.registry import PLUGIN_MODULE, is_registered, register, regularizer
from tune_reg.user_objects import Folder, get, keep, names_in

_LABEL: Final = ".regularizer"


def kept_regularizers(names: Iterable[str]) -> tuple[str, ...]:
    """The names under which the user's regularizers among ``names`` are kept for other processes.

    ``names``: of regularizers, or of several joined by ``+``. Those of this package, and those of plugins, which every
    process runs itself, are not kept.
    """
    parts = dict.fromkeys(part for name in names for part in name.split("+"))
    kinds = [regularizer(part) for part in parts]
    return tuple(
        keep(kind, f"{kind.name}{_LABEL}", f"regularizers.{kind.name}")
        for kind in kinds
        if not kind.__module__.startswith(("tune_reg.", PLUGIN_MODULE))
    )


def plugins_of(names: Iterable[str]) -> list[Path]:
    """The plugins, run in this process, that the regularizers ``names`` come from."""
    modules = {regularizer(part).__module__ for name in names for part in name.split("+")}
    return [Path(str(sys.modules[name].__file__)) for name in sorted(modules) if name.startswith(PLUGIN_MODULE)]


def register_kept(name: str) -> None:
    """Register a kept regularizer in this process, by the name that ``kept_regularizers`` gave."""
    register(get(name, "regularizer"))


def register_kept_in(folder: Folder) -> None:
    """Register the regularizers that are kept in a folder, as far as this process has none of their names."""
    for name in names_in(folder, _LABEL):
        if not is_registered(name.partition(":")[2].partition(_LABEL)[0]):
            try:
                register_kept(name)
            except TuneRegError:
                continue  # an older one that this process cannot read; a study that names it says so

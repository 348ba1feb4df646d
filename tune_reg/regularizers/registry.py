"""The registry of regularizers by name: those of this package, of installed packages, and of plugins."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from pathlib import Path
from typing import Final, TypeVar

from tune_reg.errors import TuneRegError, did_you_mean
from tune_reg.regularizers.base import Regularizer, incomplete
from tune_reg.regularizers.combination import combine
from tune_reg.storage.paths import expanded
from tune_reg.user_code import error_text
from tune_reg.user_function import EndsProgramError, running_users_file

#: Begins the name of the module of a plugin.
PLUGIN_MODULE: Final = "tune_reg_plugin_"

_Class = TypeVar("_Class", bound=type[Regularizer])
_REGISTERED: Final[dict[str, type[Regularizer]]] = {}


def register(regularizer: _Class) -> _Class:
    """Register a regularizer under its name; a class decorator.

    Raises ``TuneRegError`` where the class is incomplete or its name belongs to another class.
    """
    lack = incomplete(regularizer)
    if lack:
        raise TuneRegError(f"register({regularizer.__name__}): the class {lack}")
    registered = _REGISTERED.get(regularizer.name)
    # A class that is defined again by the same code replaces the older one.
    is_redefined = registered is not None and (registered.__module__, registered.__qualname__) == (
        regularizer.__module__,
        regularizer.__qualname__,
    )
    if registered is not None and not is_redefined:
        raise TuneRegError(f"register({regularizer.__name__}): the name {regularizer.name!r} belongs to {registered}")
    _REGISTERED[regularizer.name] = regularizer
    return regularizer


def load_plugin(path: Path) -> None:
    """Run a user's Python file, which registers regularizers, once in a process; ``TuneRegError`` where it fails."""
    path = expanded(path).absolute()
    name = f"{PLUGIN_MODULE}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TuneRegError(f"--plugin {path}: is no Python file; give the file that registers the regularizer")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with running_users_file():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, EndsProgramError):
            raise TuneRegError(f"--plugin {path}: {error}") from None
        if not isinstance(error, Exception):
            raise  # Ctrl-C
        raise TuneRegError(f"--plugin {path}: fails when run ({error_text(error)})") from error


def is_registered(name: str) -> bool:
    """Whether this process has a regularizer of that name."""
    return name in regularizers()


@functools.cache
def _load_entry_points() -> None:
    """Import the regularizers of installed packages, which have the entry point ``tune_reg.regularizers``."""
    for entry_point in importlib.metadata.entry_points(group="tune_reg.regularizers"):
        entry_point.load()


@functools.cache
def _load_own() -> None:
    """Import the regularizers of this package; once, as a search asks for its regularizer again and again."""
    package = importlib.import_module("tune_reg.regularizers")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def regularizers() -> dict[str, type[Regularizer]]:
    """All regularizers by name, sorted: those of this package, of installed packages, and of plugins."""
    _load_entry_points()
    _load_own()
    return dict(sorted(_REGISTERED.items()))


def regularizer(name: str) -> type[Regularizer]:
    """The regularizer of that name, or of several joined by ``+``; ``TuneRegError`` where there is none.

    >>> regularizer("weight-decay").strength
    'weight_decay'
    >>> [p.name for p in regularizer("adadecay+dropout").hyperparameters]
    ['weight_decay', 'alpha', 'mode', 'rate']
    """
    if "+" in name:
        return combine(tuple(regularizer(part) for part in name.split("+")))
    registered = regularizers()
    if name not in registered:
        raise TuneRegError(f"unknown regularizer {name!r}{did_you_mean(name, registered)}")
    return registered[name]

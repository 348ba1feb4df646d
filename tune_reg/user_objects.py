"""Functions, classes and data that a study is given in Python, under names that a study file and other processes use.

A name is ``python:LABEL@DIGEST``. The object is kept as cloudpickle writes it, as Ray ships functions: what stands in
``__main__`` or a notebook travels by value, and what other modules hold travels as an import. A process that lacks an
object finds it as a file in the folders that it was told to look in.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from types import ModuleType
from typing import Any, Final, Protocol

import cloudpickle

from tune_reg.errors import StudyError
from tune_reg.object_digest import object_digest
from tune_reg.user_code import error_text, is_the_users

#: The folder of the objects' files in a results directory.
OBJECTS: Final = "objects"

_PREFIX: Final = "python:"
_NAME: Final = re.compile(rf"{_PREFIX}([A-Za-z0-9_.-]+)@([0-9a-f]{{16}})")

#: The objects of this process by name, as bytes and as they were read from these.
_WRITTEN: Final[dict[str, bytes]] = {}
_OBJECTS: Final[dict[str, Any]] = {}
#: The folders in which other objects are looked for, the last one first.
_FOLDERS: Final[dict[str, Folder]] = {}


class Folder(Protocol):
    """A folder of files, on this machine or in an object store."""

    def __truediv__(self, name: str, /) -> Any:
        """The file of that name."""

    def glob(self, pattern: str, /) -> Iterable[Any]:
        """The files whose names match."""


def keep(value: Any, label: str, what: str, *, digest: str | None = None) -> str:
    """Keep an object for other processes, and return its name.

    ``label``: what it is called in the name. ``what`` it is for stands in the ``StudyError`` where it cannot travel.
    ``digest``: 16 hexadecimal digits of what it is, where that is known; else of its code and of all that it uses.

    >>> name = keep(lambda classes: classes + 1, "<lambda>", "model")
    >>> without_digest(name), get(name, "model")(2)
    ('python:lambda', 3)
    """
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", label).strip("-.") or what
    name = f"{_PREFIX}{label}@{digest or object_digest(value)}"
    if name not in _WRITTEN:
        try:
            with _by_value(_modules_of(value)):
                _WRITTEN[name] = cloudpickle.dumps(value)
        except Exception as error:
            raise StudyError(
                f"{what}: {label} cannot be sent to the processes that train ({error_text(error)}); define it at the "
                "top of a file, without open files, locks and the like around it"
            ) from error
    return name


def is_kept_name(name: str) -> bool:
    """Whether a name is one that ``keep`` gives.

    >>> is_kept_name("python:net@0123456789abcdef"), is_kept_name("python:net")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def without_digest(name: str) -> str:
    """A name as it stays when the object changes; every other name as it is.

    >>> without_digest("python:net@0123456789abcdef"), without_digest("digits")
    ('python:net', 'digits')
    """
    return name.partition("@")[0] if is_kept_name(name) else name


def digest_of(name: str) -> str:
    """The 16 hexadecimal digits in a name that ``keep`` gives."""
    return name.rpartition("@")[2]


def get(name: str, what: str) -> Any:
    """The object of a name that ``keep`` gave, here or in another process.

    It is the object as it was kept: what it used and what has changed since is not seen. ``StudyError`` where no folder
    has it, or it cannot be read.
    """
    if name not in _OBJECTS:
        data = _bytes(name, what)
        try:
            _OBJECTS[name] = cloudpickle.loads(data)
        except Exception as error:
            raise StudyError(f"{what} {name!r} cannot be read ({error_text(error)})") from error
    return _OBJECTS[name]


def written(name: str, what: str) -> tuple[str, bytes]:
    """The name and the content of the file of an object."""
    return _file(name), _bytes(name, what)


def look_in(folder: Folder) -> None:
    """Look for objects in a folder, too, from now on in this process."""
    _FOLDERS.pop(str(folder), None)
    _FOLDERS[str(folder)] = folder


def names_in(folder: Folder, ending: str) -> Iterator[str]:
    """The names of the objects in a folder whose label ends so."""
    for path in folder.glob(f"*{ending}@*.pkl"):
        name = f"{_PREFIX}{PurePath(str(path)).name.removesuffix('.pkl')}"
        if is_kept_name(name):
            yield name


def is_importable(value: Any) -> bool:
    """Whether any process that finds the user's files can import a function or a class by its module and its name."""
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str) or not _is_found(module):
        return False
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found is value


def _bytes(name: str, what: str) -> bytes:
    if name in _WRITTEN:
        return _WRITTEN[name]
    for folder in reversed(_FOLDERS.values()):
        with contextlib.suppress(OSError):
            _WRITTEN[name] = bytes((folder / _file(name)).read_bytes())
            return _WRITTEN[name]
    raise StudyError(
        f"{what} {name!r} was given in Python, and its file {_file(name)} is in no folder `objects` here; run the "
        "program that gives it, or the study.toml beside that folder"
    )


def _file(name: str) -> str:
    return f"{name.removeprefix(_PREFIX)}.pkl"


def _is_found(module: str) -> bool:
    """Whether a module is found by its name, as the file that it was loaded from."""
    if module == "__main__" or module not in sys.modules:
        return False
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        return True  # of Python itself
    package = module.rpartition(".")[0]
    if package and not _is_found(package):
        return False
    # Not importlib.util.find_spec, which takes a module that is loaded for found.
    path = getattr(sys.modules[package], "__path__", None) if package else None
    specs = (finder.find_spec(module, path) for finder in sys.meta_path)
    return next((spec.origin == file for spec in specs if spec is not None), False)


def _modules_of(value: Any) -> list[ModuleType]:
    """The user's modules behind an object that no import finds: a plugin that was loaded from its file."""
    names = {getattr(part, "__module__", None) for part in (value, type(value), *getattr(value, "__mro__", ()))}
    modules = [sys.modules[name] for name in names if isinstance(name, str) and name in sys.modules]
    return [
        module
        for module in modules
        if module.__name__ != "__main__"
        and is_the_users(getattr(module, "__file__", None) or "<built in>")
        and not _is_found(module.__name__)
    ]


@contextlib.contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)

"""A digest of an object of the user's that is the same in every process: of its code and of all that it uses.

Pickles of equal objects differ from process to process, and hold line numbers and the paths of notebooks. Here code
counts as Python compiled it, with the functions, classes and values of the user's that it names.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from tune_reg.user_code import is_the_users

#: Of a class: what Python writes into each, and what says nothing of what it does.
_NOT_OF_A_CLASS: Final = (
    "__dict__",
    "__weakref__",
    "__module__",
    "__doc__",
    "__qualname__",
    "__firstlineno__",
    "__static_attributes__",
    "__annotations__",
    "__annotate_func__",
    "__annotations_cache__",
    "__abstractmethods__",
    "_abc_impl",
)


def object_digest(value: Any) -> str:
    """16 hexadecimal digits of a function, a class or a value.

    >>> def made(): return lambda x: x + 1
    >>> object_digest(made()) == object_digest(made())
    True
    >>> object_digest(made()) == object_digest(lambda x: x + 2)
    False
    """
    digest = hashlib.sha256()
    for piece in _pieces(value, {}):
        digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()[:16]


def _pieces(value: Any, seen: dict[int, tuple[int, Any]]) -> Iterator[bytes]:
    """What an object is, as bytes; an object that was met before as its number in ``seen``.

    ``seen`` holds the objects, too: the ``id`` of one that is gone would be that of another.
    """
    if isinstance(value, str | int | float | complex | bool | bytes | type(None) | type(Ellipsis)):
        yield f"{type(value).__name__} {value!r}".encode()
        return
    if id(value) in seen:
        yield f"seen {seen[id(value)][0]}".encode()
        return
    if not isinstance(value, tuple | frozenset | CodeType):  # Python may share equal ones, or not
        seen[id(value)] = len(seen), value
    held = _held(value)
    if isinstance(value, ModuleType):
        yield f"module {value.__name__}".encode()
    elif held is not None:
        yield type(value).__name__.encode()
        for part in held:
            yield from _pieces(part, seen)
        yield b"end"
    elif isinstance(value, set | frozenset):
        yield from sorted(object_digest(part).encode() for part in value)
    elif isinstance(value, BuiltinFunctionType):
        yield f"{value.__module__}:{value.__qualname__}".encode()
    else:
        yield from _of_array(value)


def _held(value: Any) -> Iterable[Any] | None:
    """What an object is made of, in order; None of what is described in another way."""
    simple = next((parts(value) for kind, parts in _PARTS.items() if isinstance(value, kind)), None)
    if simple is not None:
        return simple
    if isinstance(value, FunctionType | type):
        if not _is_of_the_user(value):
            return (f"{value.__module__}:{value.__qualname__}",)
        return _of_function(value) if isinstance(value, FunctionType) else _of_class(value)
    if isinstance(value, ModuleType | BuiltinFunctionType | set | frozenset) or _is_array(value):
        return None
    kind = type(value)
    kept = {name: part for name, part in getattr(value, "__dict__", {}).items() if not _is_cached(kind, name)}
    return kind, kept


def _is_cached(kind: type, name: str) -> bool:
    """Whether an attribute is there only once somebody has asked for it."""
    return isinstance(getattr(kind, name, None), functools.cached_property)


_PARTS: Final[dict[type, Callable[[Any], Iterable[Any]]]] = {
    CodeType: lambda c: (c.co_code, c.co_names, c.co_varnames, c.co_freevars, c.co_consts),
    functools.partial: lambda p: (p.func, p.args, p.keywords),
    MethodType: lambda m: (m.__func__, m.__self__),
    staticmethod: lambda m: (m.__func__,),
    classmethod: lambda m: (m.__func__,),
    property: lambda p: (p.fget, p.fset),
    list: list,
    tuple: list,
    Mapping: lambda m: [part for item in m.items() for part in item],
}


def _of_function(function: FunctionType) -> Iterable[Any]:
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # a name that is not bound yet
            cells.append(None)
    used = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    return function.__code__, function.__defaults__, function.__kwdefaults__, cells, used


def _names(code: CodeType) -> list[str]:
    """The names that a function and the functions inside it look up, in order."""
    inner = (name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const))
    return list(dict.fromkeys([*code.co_names, *inner]))


def _of_class(kind: type) -> Iterable[Any]:
    members = {name: member for name, member in vars(kind).items() if name not in _NOT_OF_A_CLASS}
    return kind.__name__, kind.__bases__, dict(sorted(members.items()))


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "shape")


def _of_array(value: Any) -> Iterator[bytes]:
    """An array of torch or numpy, by its bytes."""
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    yield f"array {array.dtype} {array.shape}".encode()
    yield array.tobytes()


def _is_of_the_user(value: Any) -> bool:
    """Whether a function or a class stands in a file of the user's, in ``__main__`` or in a notebook."""
    module = sys.modules.get(value.__module__) if isinstance(value.__module__, str) else None
    if value.__module__ == "__main__" or module is None:
        return True
    file = getattr(module, "__file__", None)
    return file is not None and is_the_users(file)

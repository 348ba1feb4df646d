"""A user's own function, named as ``package.module:function`` or given in Python."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tune_reg.errors import StudyError
from tune_reg.user_code import error_text
from tune_reg.user_objects import get, is_importable, is_kept_name, keep


def import_function(name: str, what: str) -> Callable[..., Any]:
    """The function that ``name`` says; ``what`` it is for stands in the ``StudyError`` where there is none.

    >>> import_function("math:sqrt", "model")(4.0)
    2.0
    """
    if is_kept_name(name):
        kept: Callable[..., Any] = get(name, what)
        return kept
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise StudyError(f"{what} {name!r} must be package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        # A command that pip installed does not look into the folder that it is called in, but a user does.
        sys.path.append(here)
    try:
        function: Any = _attribute(_imported(module_name, attribute), attribute)
    except EndsProgramError as error:
        raise StudyError(f"{what} {name!r} cannot be imported: {error}") from None
    except Exception as error:
        raise StudyError(
            f"{what} {name!r} cannot be imported ({error_text(error)}); "
            "it must be package.module:function, found from this folder or PYTHONPATH"
        ) from error
    if not callable(function):
        raise StudyError(f"{what} {name!r} must be a function, got a {type(function).__name__}")
    found: Callable[..., Any] = function
    return found


def name_of(function: Callable[..., Any], what: str) -> str:
    """The name under which any process finds a function or a class: ``package.module:function`` where it is imported.

    A function that no import finds, of ``__main__``, a notebook or a lambda, is kept, see ``user_objects``.
    ``what`` it is for stands in the ``StudyError`` where it cannot be sent to other processes.

    >>> import math
    >>> name_of(math.sqrt, "model")
    'math:sqrt'
    """
    if is_importable(function):
        return f"{function.__module__}:{function.__qualname__}"
    return keep(function, getattr(function, "__name__", type(function).__name__), what)


def imported_module(name: str) -> ModuleType:
    """The module of the function that ``name`` says, which ``import_function`` has imported."""
    module_name, _, attribute = name.partition(":")
    return _imported(module_name, attribute)


def _imported(module_name: str, attribute: str) -> ModuleType:
    """The module, imported; the file of that name in this folder where another module of that name lacks the function.

    A user's ``random.py`` or ``search_spaces.py`` is then what is meant, and not the module that hides it.
    """
    own = Path.cwd() / f"{module_name.replace('.', '/')}.py"
    try:
        with running_users_file():
            module = importlib.import_module(module_name)
    except ImportError:
        if not own.is_file():
            raise
    else:
        if not own.is_file() or getattr(module, "__file__", None) == str(own) or _has(module, attribute):
            return module
    alias = f"tune_reg_file {own}"
    if alias not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, own)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[alias] = importlib.util.module_from_spec(spec)
        try:
            with running_users_file():
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[alias]
            raise
    return sys.modules[alias]


@contextmanager
def running_users_file() -> Iterator[None]:
    """Run a user's file as if it were imported by nobody's command: it sees no arguments of this one, or of a worker's.

    A file that reads its own arguments when it is imported takes its defaults. Where it ends the program
    (``sys.exit``, or argparse that lacks an argument), ``EndsProgramError`` says how.
    """
    arguments, error = sys.argv, ArgumentParser.error
    sys.argv = arguments[:1]
    ArgumentParser.error = _refuse  # type: ignore[assignment,method-assign]  # without the lines about its usage
    try:
        yield
    except SystemExit as end:
        reason = "no error" if end.code in (None, 0) else " ".join(str(end.code).split())
        raise EndsProgramError(
            f"it ends the program ({reason}) when it is imported; put what is for the command line below "
            '`if __name__ == "__main__":`'
        ) from None
    finally:
        sys.argv = arguments
        ArgumentParser.error = error  # type: ignore[method-assign]


def _refuse(_: ArgumentParser, message: str) -> NoReturn:
    raise SystemExit(message)


class EndsProgramError(Exception):
    """A user's file ends the program when it is imported."""


def _has(module: ModuleType, attribute: str) -> bool:
    try:
        _attribute(module, attribute)
    except AttributeError:
        return False
    return True


def _attribute(module: ModuleType, attribute: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part)
    return found

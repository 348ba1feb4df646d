"""A user's own function, named as ``package.module:function``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tune_reg.errors import StudyError, one_line
from tune_reg.user_code import raised_at


def import_function(name: str, what: str) -> Callable[..., Any]:
    """The function that ``name`` says; ``what`` it is for stands in the ``StudyError`` where there is none.

    >>> import_function("math:sqrt", "model")(4.0)
    2.0
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise StudyError(f"{what} {name!r} must be package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        # A command that pip installed does not look into the folder that it is called in, but a user does.
        sys.path.append(here)
    try:
        function = importlib.import_module(module_name)
        for part in attribute.split("."):
            function = getattr(function, part)
    except Exception as error:
        raise StudyError(
            f"{what} {name!r} cannot be imported ({type(error).__name__}: {one_line(error)}{raised_at(error)}); "
            "it must be package.module:function, found from this folder or PYTHONPATH"
        ) from error
    if not callable(function):
        raise StudyError(f"{what} {name!r} must be a function, got a {type(function).__name__}")
    return function

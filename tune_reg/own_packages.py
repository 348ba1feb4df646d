"""The packages of tune-reg beside this one, found where this one lies whatever a user's files are called.

``search_spaces`` and ``analysis`` are names that a user's own files may well have, and Python takes the file beside a
script, in the working folder or on PYTHONPATH first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

from tune_reg.errors import TuneRegError

_ROOT: Final = Path(__file__).absolute().parents[1]


class _Beside(MetaPathFinder):
    """Finds the packages that are claimed in the folder of this package alone."""

    def __init__(self) -> None:
        self.claimed: set[str] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python passes it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(_ROOT)]) if fullname in self.claimed else None


_FINDER: Final = _Beside()


def claim(name: str) -> None:
    """Let ``import name`` mean the package of tune-reg in this process from now on.

    ``TuneRegError`` names the file to rename where a user's module of that name was imported before.
    """
    if name in sys.modules:
        file = Path(getattr(sys.modules[name], "__file__", None) or name)
        if file.resolve() != (_ROOT / name / "__init__.py").resolve():
            raise TuneRegError(
                f"{file}: is called like {name}, a package of tune-reg, which therefore cannot be imported; "
                "rename this file"
            )
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _FINDER.claimed.add(name)

"""Where an exception was raised in the user's own code: the file and the line that a person can mend."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import Final

from tune_reg.errors import one_line

_FRAME: Final = re.compile(r'^\s*File "([^"]+)", line (\d+)', re.MULTILINE)
_PACKAGE: Final = Path(__file__).resolve().parent
#: Folders of installed code and of this project's packages.
_NOT_THE_USERS: Final = (
    *{Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *(_PACKAGE.parent / name for name in (_PACKAGE.name, "analysis", "search_spaces")),
)


def error_text(error: BaseException) -> str:
    """An exception of the user's code in one line: its type, its message, and where it was raised.

    >>> error_text(ValueError("never raised"))
    'ValueError: never raised'
    """
    return f"{type(error).__name__}: {one_line(error)}{raised_at(error)}"


def raised_at(error: BaseException) -> str:
    """`` (FILE:LINE)`` of the innermost call in the user's code that led to ``error``; empty where there is none.

    >>> raised_at(ValueError("never raised"))
    ''
    """
    chain: list[tuple[str, int]] = []
    at: BaseException | None = error
    while at is not None and not chain:
        chain = [
            (frame.filename, frame.lineno or 0)
            for frame in traceback.extract_tb(at.__traceback__)
            if is_the_users(frame.filename)
        ]
        at = at.__cause__ or at.__context__
    return _place(chain)


def raised_at_in(text: str) -> str:
    """As ``raised_at``, from a traceback as text: that of another process.

    >>> raised_at_in('File "/home/me/nets.py", line 7, in forward')
    ' (/home/me/nets.py:7)'
    """
    return _place([(file, int(line)) for file, line in _FRAME.findall(text) if is_the_users(file)])


def _place(frames: list[tuple[str, int]]) -> str:
    return f" ({frames[-1][0]}:{frames[-1][1]})" if frames else ""


def is_the_users(file: str) -> bool:
    """Whether a file holds code of the user's: neither this project's nor that of an installed package.

    >>> is_the_users("/home/me/nets.py"), is_the_users(__file__)
    (True, False)
    """
    if file.startswith("<"):
        return False
    path = Path(file)
    return not any(path.is_relative_to(folder) for folder in _NOT_THE_USERS)

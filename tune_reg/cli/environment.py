"""What the command is started with: closed streams, encodings, and settings that are meant for other programs."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Final

_STREAMS: Final = ("stdin", "stdout", "stderr")


def take_the_machine_as_it_is() -> None:
    """Make up for closed streams, for encodings that lack letters, and for a notebook's backend of matplotlib."""
    for number, name in enumerate(_STREAMS):
        if getattr(sys, name) is None and not _is_open(number):
            # Else the next file that is opened would get the number of the stream, and what others print.
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    # A notebook names one that may not be installed here; figures are drawn into files.
    os.environ["MPLBACKEND"] = "agg"


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

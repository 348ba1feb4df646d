"""Measurements in processes of their own, so that none inherits the memory, imports or settings of another."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
_NUMBERS = "numbers: "


def call_in_own_process(
    function: Callable[Parameters, Result], *args: Parameters.args, **keywords: Parameters.kwargs
) -> Result:
    """The result of ``function``, called in a fresh interpreter; ``function`` stands at the top level of a file."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **keywords).result()


def send_numbers(numbers: dict[str, Any]) -> None:
    """Print ``numbers`` for the program that started this process by ``numbers_of``."""
    print(f"{_NUMBERS}{json.dumps(numbers)}", flush=True)


def numbers_of(arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run a Python file with ``arguments``, its path first; what it gives to ``send_numbers``, as it comes.

    What else the process prints is dropped, unless it fails: then this one ends with the end of its messages.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(_NUMBERS):
                    yield json.loads(line.removeprefix(_NUMBERS))
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(arguments)} failed:\n{log.read()[-4000:]}")

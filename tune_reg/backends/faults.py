"""What an exception in a worker says: the same run would raise it again, or the machine was at fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import torch

from tune_reg.errors import TuneRegError
from tune_reg.user_code import error_text, raised_at

#: Faults of a machine that torch and Python raise as a plain RuntimeError.
_OF_THE_MACHINE: Final = re.compile(
    r"CUDA|cuDNN|CUBLAS|NCCL|HIP error|out of memory|can't allocate|unable to mmap|shared memory|new thread",
    re.IGNORECASE,
)
#: A file or a module that is not there: the user's code asks for it on every machine, other code only finds it on some.
_MISSING: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ImportError)


def deterministic_fault(error: BaseException) -> str | None:
    """An exception in one line with the user's file and line, where the same run would raise it again; else None.

    None is for what lies with the machine, such as memory, the GPU, the file system, the network and Ray, and for
    whoever ends the process: such a run is worth another try.

    >>> deterministic_fault(ValueError("no")), deterministic_fault(MemoryError())
    ('ValueError: no', None)
    """
    if isinstance(error, SystemExit):
        return error_text(error) if raised_at(error) else None
    if not isinstance(error, Exception) or any(_of_the_machine(each) for each in _chain(error)):
        return None
    return str(error) if isinstance(error, TuneRegError) else error_text(error)


def reason_or_raise(error: BaseException) -> str:
    """As ``deterministic_fault``, for an exception that is being handled: one that is worth another try is raised."""
    reason = deterministic_fault(error)
    if reason is None:
        raise error
    return reason


def _of_the_machine(error: BaseException) -> bool:
    if isinstance(error, _MISSING):
        return not raised_at(error)
    if isinstance(error, RuntimeError) and _OF_THE_MACHINE.search(str(error)):
        return True
    is_rays = type(error).__module__.partition(".")[0] == "ray"
    return is_rays or isinstance(error, MemoryError | OSError | torch.OutOfMemoryError | torch.AcceleratorError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)

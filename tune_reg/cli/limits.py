"""Limits of the machine that a command has reached, in one line: room on a disk, the size of files, memory."""

from __future__ import annotations

import errno
import re
from typing import Final

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
#: What libraries say for which no memory is left, in exceptions of several kinds.
_NO_MEMORY: Final = re.compile(
    r"failed to map segment|annot allocate memory|std::bad_alloc|can't start new thread|DefaultCPUAllocator"
)


def limit_reached(error: BaseException) -> str | None:
    """What was reached and what to do, in one line; None where the error is another one.

    >>> limit_reached(MemoryError())
    'memory ran out; give the command more of it (`ulimit -v` tells the limit), and give it again'
    """
    if isinstance(error, OSError) and error.errno in (*_NO_ROOM, errno.EFBIG):
        where = error.filename or "standard output, the results or the temporary folder"
        what = "allow larger files (`ulimit -f`)" if error.errno == errno.EFBIG else "make room"
        return f"{where}: {error.strerror}; {what} and give the command again"
    no_memory = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if no_memory or (isinstance(error, OSError | ImportError | RuntimeError) and _NO_MEMORY.search(str(error))):
        return "memory ran out; give the command more of it (`ulimit -v` tells the limit), and give it again"
    return None

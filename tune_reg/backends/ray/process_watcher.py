"""Ends what is left of a Ray when the driver that started it ends: a program of its own, which the driver starts.

Killed, a driver can end nothing. Its workers and Ray's servers end by themselves, but the agents of Ray's node stay for
half a minute. What Ray starts inherits the environment of the driver, and is found by a mark in it.

``python process_watcher.py DRIVER MARK``: a process id, and a setting. It needs nothing but Python's own library, and
Linux.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_S = 1.0
#: Seconds that processes have to end by themselves after the driver was killed.
_PATIENCE_S = 2.0
#: Looks are made so often at first, while a Ray starts, and one in as many afterwards.
_OFTEN = 20


_MARK = "TUNE_REG_RAY"


@contextmanager
def watched() -> Iterator[None]:
    """What is started in the block, until ``unmark`` is called, ends with this process, or at the end of the block."""
    if not sys.platform.startswith("linux"):
        yield
        return
    os.environ[_MARK] = mark = uuid.uuid4().hex
    # In a session of its own: Ctrl-C and the end of a terminal do not reach it.
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), f"{_MARK}={mark}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        unmark()
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            watcher.communicate(b"over", timeout=10)


def unmark() -> None:
    """Take the mark away from what this process starts from now on."""
    os.environ.pop(_MARK, None)


class _Processes:
    """The processes with a mark in their environment, and those that were seen as children of a node with the mark.

    The agents of a node write their title over their environment, and lose their parent with it: they are remembered.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._nodes: set[int] = set()
        self._children: set[tuple[int, str]] = set()  # with when they were started: numbers are used again

    def look(self) -> list[int]:
        """Those that run now."""
        found = []
        for entry in os.listdir("/proc"):  # noqa: PTH208 - it holds strings
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            with contextlib.suppress(OSError):  # it has ended meanwhile
                # After the name, which can hold anything: the state, the parent, ..., 20th the time of its start.
                name, _, rest = (
                    Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
                )
                state, parent, *fields = rest.split()
                if state == "Z":
                    continue
                process = (int(entry), fields[17])
                if self._mark in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
                    if name.endswith("(raylet"):
                        self._nodes.add(int(entry))
                elif process in self._children or int(parent) in self._nodes:
                    self._children.add(process)
                    found.append(int(entry))
        return found


def _main() -> None:
    driver, processes = int(sys.argv[1]), _Processes(sys.argv[2])
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    # A process that the driver forked keeps the pipe open, so that its end alone does not tell.
    looks = 0
    while not select.select([0], [], [], _LOOK_S)[0] and os.getppid() == driver:
        looks += 1
        if looks < _OFTEN or looks % _OFTEN == 0:
            processes.look()
    killed = not select.select([0], [], [], 0)[0] or not os.read(0, 1)
    give_up = time.monotonic() + _PATIENCE_S * killed
    while (left := processes.look()) and time.monotonic() < give_up:
        time.sleep(_LOOK_S / 4)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main()

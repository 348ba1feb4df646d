"""The right to write a results directory alone: one run at a time."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from tune_reg.errors import StoreError
from tune_reg.storage.atomic_file import write_atomic
from tune_reg.storage.lease import Lease, leased
from tune_reg.storage.leftovers import is_alive, remove_leftovers
from tune_reg.storage.paths import StoragePath
from tune_reg.storage.remote_path import RemotePath

_HOLDER: Final = re.compile(r"process (\d+) on (\S*)")
#: A run says who it is so many seconds after it took the lock, at most.
_NAMED_WITHIN_S: Final = 2.0


@contextmanager
def exclusive(directory: StoragePath) -> Iterator[Lease | None]:
    """Hold a results directory alone. ``StoreError`` where it cannot be written or another run holds it.

    A folder of this machine is locked by the system, which ends the lock with the process; a folder of an object store
    is held by a ``Lease``, which is given.
    """
    if isinstance(directory, RemotePath):
        with leased(directory) as lease:
            yield lease
        return
    with _locked(directory):
        yield None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".write-test.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(f"--out {directory}: cannot be written ({error.strerror}); choose another") from None
    lock = FileLock(directory / ".lock")
    holder = directory / ".holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(f"--out {directory}: in use by {_holder(holder)}; wait for it, or choose another") from None
    try:
        now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        write_atomic(holder, f"process {os.getpid()} on {platform.node()} since {now}".encode())
        remove_leftovers(directory)
        yield
    finally:
        holder.unlink(missing_ok=True)
        # While it is held: whoever opened it before gets a file without a name, which is no lock, and opens it anew.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    """Who holds a directory, as the file says; another run may just be writing it, after one that was killed."""
    give_up = time.monotonic() + _NAMED_WITHIN_S
    while True:
        with suppress(OSError, UnicodeDecodeError):
            who = path.read_text(encoding="utf-8").strip()
            match = _HOLDER.match(who)
            if match and (match[2] != platform.node() or is_alive(int(match[1]))):
                return who
        if time.monotonic() > give_up:
            return f"a process that is not named in {path}"
        time.sleep(0.05)

"""The right to write a results directory alone: one run at a time."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tune_reg.errors import StoreError
from tune_reg.storage.lease import Lease, leased
from tune_reg.storage.paths import StoragePath
from tune_reg.storage.remote_path import RemotePath


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
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise StoreError(f"--out {directory}: in use by {who}; wait for it, or choose another") from None
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()

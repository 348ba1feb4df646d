"""One run at a time on a folder of an object store, where no system ends a lock with its process.

Each run has an object of its own in ``DIR/.locks/``, which it writes anew every ``BEAT_S`` seconds. A run that starts
and finds the object of another run watches that object: where it changes, the other run is alive; where it has not
changed for ``EXPIRY_S`` seconds, the other run is dead and is taken over. No clocks are compared, and no conditional
writes are needed: a run writes its object first and looks for others second, so that of two runs that start at once at
most one goes on.

What can go wrong: a run that stood still for longer than ``EXPIRY_S`` (a laptop that slept) and was taken over goes on.
With its next beat it finds out that it was taken over and ends, but until then it may write what it had in hand. A
part of a table is named by its run and is written whole, so nothing is doubled; the journal refuses a second writer.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final

from tune_reg.errors import StoreError, TuneRegError, UnreachableError
from tune_reg.storage.remote_path import RemotePath

#: Longer than ``PATIENCE_S`` and some beats: a run that cannot write its object for so long has ended itself.
EXPIRY_S: Final = 60.0
BEAT_S: Final = 10.0
_LOOK_S: Final = 1.0

_log = logging.getLogger(__name__)


@contextmanager
def leased(directory: RemotePath) -> Iterator[Lease]:
    """Hold a folder of an object store. ``StoreError`` where it cannot be written or another run is alive in it."""
    # A connection that breaks leaves tasks of the client's own behind, whose tracebacks asyncio would print although
    # the call itself is tried again, and reported where it fails for good.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    lease = Lease(directory)
    lease.take()
    try:
        yield lease
    finally:
        lease.release()


class Lease:
    """The right of this process to write a folder alone, until the right is released or lost."""

    def __init__(self, directory: RemotePath) -> None:
        self._directory = directory
        self._folder = directory / ".locks"
        self._object = self._folder / f"{uuid.uuid4().hex}.json"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="tune-reg-lease", daemon=True)
        self._beats = 0
        self._since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        self._taken_over: list[str] = []
        self._lost: TuneRegError | None = None
        self._on_loss: Callable[[TuneRegError], None] | None = None

    def take(self) -> None:
        """Take the lease, waiting ``EXPIRY_S`` where a run seems to have died. ``StoreError`` where one is alive."""
        try:
            dead = self._outlived(self._others())
            self._taken_over = sorted(dead)
            self._write()
            others = {name: content for name, content in self._others().items() if name not in dead}
            if others:
                self._object.unlink(missing_ok=True)
                raise self._in_use(next(iter(others.values())))
            for name in dead:
                (self._folder / name).unlink(missing_ok=True)
        except (FileNotFoundError, UnreachableError) as error:
            raise StoreError(f"--out {self._directory}: cannot be written ({error.strerror}); choose another") from None
        self._thread.start()

    def call_on_loss(self, callback: Callable[[TuneRegError], None]) -> None:
        """Call ``callback``, once, when the lease is lost to another run or the folder cannot be reached any more."""
        self._on_loss = callback
        if self._lost is not None:
            callback(self._lost)

    def release(self) -> None:
        """Give the lease back."""
        self._over.set()
        self._thread.join()
        if self._lost is None:
            with suppress(OSError):  # the store is down: the object is found dead later
                self._object.unlink(missing_ok=True)

    def beat(self) -> None:
        """Say that this run is alive. ``StoreError`` where it has been taken over meanwhile."""
        self._beats += 1
        names = {path.name for path in self._folder.glob("*.json")}
        if self._object.name in names:
            self._write()
            if not any(self._object.name in _taken_over(content) for content in self._others().values()):
                return
        raise StoreError(
            f"{self._directory}: this run stood still for more than {EXPIRY_S:g} s, and another one has gone on with it"
        )

    def _beat_on(self) -> None:
        while not self._over.wait(BEAT_S):
            try:
                self.beat()
            except StoreError as error:
                self._lost = error
                if self._on_loss is not None:
                    self._on_loss(error)
                return

    def _write(self) -> None:
        holder = f"process {os.getpid()} on {platform.node()} since {self._since}"
        content = {"holder": holder, "beats": self._beats, "took_over": self._taken_over}
        self._object.write_bytes(json.dumps(content).encode())

    def _others(self) -> dict[str, bytes]:
        """What other runs have written, by the name of their object."""
        others = {}
        for path in self._folder.glob("*.json"):
            if path.name != self._object.name:
                with suppress(FileNotFoundError):
                    others[path.name] = path.read_bytes()
        return others

    def _outlived(self, seen: dict[str, bytes]) -> set[str]:
        """Watch the objects of other runs; the names of those that are dead."""
        if seen:
            _log.warning(
                "tune-reg: %s was in use by %s; waiting %g s for a sign of life",
                self._directory,
                _holder(next(iter(seen.values()))),
                EXPIRY_S,
            )
        end = time.monotonic() + EXPIRY_S
        while seen and time.monotonic() < end:
            time.sleep(_LOOK_S)
            now = self._others()
            seen = {name: content for name, content in seen.items() if name in now}
            for name, content in seen.items():
                if now[name] != content:
                    raise self._in_use(now[name])
        return set(seen)

    def _in_use(self, content: bytes) -> StoreError:
        who = _holder(content)
        return StoreError(f"--out {self._directory}: in use by {who}; wait for it, or choose another")


def _holder(content: bytes) -> str:
    return str(_parsed(content).get("holder") or "a run that does not say who it is")


def _taken_over(content: bytes) -> list[str]:
    names = _parsed(content).get("took_over")
    return [str(name) for name in names] if isinstance(names, list) else []


def _parsed(content: bytes) -> dict[str, Any]:
    """What a run has written of itself; empty where it is damaged."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}

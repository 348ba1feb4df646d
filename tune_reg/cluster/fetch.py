"""Results brought home from a cluster or an object store: file by file, each checked by its SHA-256."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from tune_reg.errors import ClusterError, StoreError, UnreachableError, one_line
from tune_reg.storage.remote_path import RemotePath

#: Bytes that travel at once: far below what Ray takes as one object, far above what a call costs.
CHUNK: Final = 16 * 2**20
_TRIES: Final = 3


@dataclass(frozen=True)
class Entry:
    """A file of the results. ``path``: in the folder, with slashes."""

    path: str
    size: int
    sha256: str


class Folder(Protocol):
    """A results folder, here or far away."""

    def listing(self) -> list[Entry]: ...  # noqa: D102
    def read(self, path: str, offset: int, size: int) -> bytes: ...  # noqa: D102


class LocalFolder:
    """A results folder on this machine. Not listed: hidden files (locks, files half written)."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def listing(self) -> list[Entry]:
        """Every file, sorted, as long as it is now. ``StoreError`` where it holds no study."""
        if not (self._root / "study.toml").is_file():
            raise StoreError(f"{self._root}: holds no study on the cluster; give the folder that the study ran into")
        entries = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder) / name
                if name.startswith(".") or path.is_symlink():
                    continue
                try:
                    content = hashlib.sha256()
                    size = 0
                    with path.open("rb") as file:
                        while part := file.read(CHUNK):
                            content.update(part)
                            size += len(part)
                except FileNotFoundError:
                    continue  # a checkpoint that was replaced
                entries.append(Entry(path.relative_to(self._root).as_posix(), size, content.hexdigest()))
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Part of a file; nothing where it is gone."""
        try:
            with (self._root / path).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            return b""


class StoreFolder:
    """A results folder in an object store. Its files are read twice: to list them and to copy them."""

    def __init__(self, root: RemotePath) -> None:
        self._root = root

    def listing(self) -> list[Entry]:
        """Every file, sorted, but for locks. ``StoreError`` where it holds no study."""
        if not (self._root / "study.toml").is_file():
            raise StoreError(f"{self._root}: holds no study; give the folder that the study ran into")
        entries = []
        for place in self._root.files():
            path = place.path.removeprefix(f"{self._root.path}/")
            if any(part.startswith(".") for part in PurePosixPath(path).parts):
                continue
            try:
                content = place.read_bytes()
            except FileNotFoundError:
                continue  # a checkpoint that was replaced
            entries.append(Entry(path, len(content), hashlib.sha256(content).hexdigest()))
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Part of a file; nothing where it is gone."""
        try:
            return (self._root / path).read_bytes(offset, offset + size)
        except FileNotFoundError:
            return b""


def fetch(folder: Folder, out: Path) -> list[Entry]:
    """Copy a results folder to ``out``, which must be new or empty: it is there whole, or not at all.

    A file that grows meanwhile is copied as long as it was when it was listed. Raises ``StoreError`` where ``out``
    is not empty or cannot be written, ``ClusterError`` where files change faster than they can be copied.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"--out {out}: is not empty; choose a new folder, nothing is overwritten")
    beside = out.with_name(f".{out.name}.fetching.{os.getpid()}")
    try:
        for _ in range(_TRIES):
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            entries = folder.listing()
            if all(_copied(folder, entry, beside) for entry in entries):
                if out.exists():
                    out.rmdir()
                beside.rename(out)
                return entries
    except UnreachableError:
        raise
    except OSError as error:
        raise StoreError(f"--out {out}: cannot be written ({error.strerror}); choose another") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    raise ClusterError("fetch: the results change while they are copied; try again, or when the job has ended")


@contextmanager
def folder_on(address: str, path: str) -> Iterator[Folder]:
    """A results folder as the head of a Ray cluster sees it. ``ClusterError`` where that cannot be reached.

    ``address``: ``ray://HEAD:10001`` from anywhere, ``auto`` on the head itself.
    """
    if address.startswith(("http://", "https://")):
        raise ClusterError(f"--address: fetch speaks to Ray itself; give ray://HEAD:10001 in place of {address}")
    import ray

    _connect(address)
    try:
        # On the head, where the job ran: the folder may lie on its own disk. It takes no processor from a trial.
        actor = ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001})(LocalFolder)
        yield _Remote(actor.remote(path))
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    import ray

    for left in reversed(range(_TRIES)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (RuntimeError, OSError) as error:
            # The head starts a process for each client, which now and then dies at birth: see ray.util.client.
            if left and isinstance(error, ConnectionError) and "Initialization failure" in str(error):
                continue
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ClusterError(
                f"--address {address}: cannot be reached ({said[-1].strip()}); is the head up?"
            ) from None
        except (ImportError, ValueError) as error:
            raise ClusterError(f"--address {address}: cannot be used ({one_line(error)})") from None
        return


class _Remote:
    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def listing(self) -> list[Entry]:
        entries: list[Entry] = self._answer(self._actor.listing.remote())
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        part: bytes = self._answer(self._actor.read.remote(path, offset, size))
        return part

    @staticmethod
    def _answer(call: Any) -> Any:
        import ray

        try:
            return ray.get(call)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, StoreError):
                raise error.cause from None
            raise ClusterError(f"fetch: {one_line(error.cause)}") from None
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise ClusterError(f"fetch: the cluster was lost ({one_line(error)})") from None


def _copied(folder: Folder, entry: Entry, to: Path) -> bool:
    """Copy one file; whether its content is as listed."""
    path = PurePosixPath(entry.path)
    if path.is_absolute() or ".." in path.parts:
        raise ClusterError(f"fetch: the cluster named a file outside its folder: {entry.path!r}")
    target = to / path
    target.parent.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256()
    with target.open("wb") as file:
        for offset in range(0, entry.size, CHUNK):
            part = folder.read(entry.path, offset, min(CHUNK, entry.size - offset))
            content.update(part)
            file.write(part)
    return content.hexdigest() == entry.sha256

"""Results folders that files are copied from: on this machine, in an object store."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from tune_reg.errors import StoreError
from tune_reg.storage.remote_path import RemotePath

#: Bytes that are read at once: far below what Ray takes as one object, far above what a call costs.
CHUNK: Final = 16 * 2**20


@dataclass(frozen=True)
class FileEntry:
    """A file in a results folder. ``path``: relative to the folder, with slashes. ``size``: in bytes."""

    path: str
    size: int
    sha256: str


class Folder(Protocol):
    """A results folder on any machine."""

    def listing(self) -> list[FileEntry]:
        """Every file of the folder. ``StoreError`` where the folder holds no study."""

    def read(self, path: str, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of a file, from ``offset``; no bytes where the file is gone."""


class LocalFolder:
    """A results folder on this machine. Hidden files (locks, files half written) are not listed."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def listing(self) -> list[FileEntry]:
        """Every file with its present size, sorted by path. ``StoreError`` where the folder holds no study."""
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
                    continue  # a checkpoint was replaced meanwhile
                entries.append(FileEntry(path.relative_to(self._root).as_posix(), size, content.hexdigest()))
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of a file, from ``offset``; no bytes where the file is gone."""
        try:
            with (self._root / path).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            return b""


class ObjectStoreFolder:
    """A results folder in an object store. Its files are read twice: to list them and to copy them."""

    def __init__(self, root: RemotePath) -> None:
        self._root = root

    def listing(self) -> list[FileEntry]:
        """Every file but locks, sorted by path. ``StoreError`` where the folder holds no study."""
        if not (self._root / "study.toml").is_file():
            raise StoreError(f"{self._root}: holds no study; give the folder that the study ran into")
        entries = []
        for file in self._root.files():
            path = file.path.removeprefix(f"{self._root.path}/")
            if any(part.startswith(".") for part in PurePosixPath(path).parts):
                continue
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue  # a checkpoint was replaced meanwhile
            entries.append(FileEntry(path, len(content), hashlib.sha256(content).hexdigest()))
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of a file, from ``offset``; no bytes where the file is gone."""
        try:
            return (self._root / path).read_bytes(offset, offset + size)
        except FileNotFoundError:
            return b""

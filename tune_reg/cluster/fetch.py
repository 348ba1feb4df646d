"""Results of a cluster or an object store, copied to this machine file by file, each checked by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from tune_reg.cluster.folders import CHUNK, FileEntry, Folder
from tune_reg.errors import ClusterError, StoreError, UnreachableError

_TRIES: Final = 3


def fetch(folder: Folder, out: Path) -> list[FileEntry]:
    """Copy a results folder to ``out``, which must be new or empty, and list its files. ``out`` is complete or absent.

    A file that grows meanwhile is copied up to the size that it had when it was listed. Raises ``StoreError`` where
    ``out`` is not empty or cannot be written, ``ClusterError`` where files change faster than they can be copied.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"--out {out}: is not empty; choose a new folder, nothing is overwritten")
    partial = out.with_name(f".{out.name}.fetching.{os.getpid()}")
    try:
        for _ in range(_TRIES):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            entries = folder.listing()
            if all(_copied(folder, entry, partial) for entry in entries):
                if out.exists():
                    out.rmdir()
                partial.rename(out)
                return entries
    except UnreachableError:
        raise
    except OSError as error:
        raise StoreError(f"--out {out}: cannot be written ({error.strerror}); choose another") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise ClusterError("fetch: the results change while they are copied; try again, or when the job has ended")


def _copied(folder: Folder, entry: FileEntry, target_folder: Path) -> bool:
    """Copy one file; whether its content is the one that was listed."""
    path = PurePosixPath(entry.path)
    if path.is_absolute() or ".." in path.parts:
        raise ClusterError(f"fetch: the cluster named a file outside its folder: {entry.path!r}")
    target = target_folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256()
    with target.open("wb") as file:
        for offset in range(0, entry.size, CHUNK):
            part = folder.read(entry.path, offset, min(CHUNK, entry.size - offset))
            content.update(part)
            file.write(part)
    return content.hexdigest() == entry.sha256

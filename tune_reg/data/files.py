"""Downloads and md5 sums of data files, which are written under a temporary name first, so that none is half there."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from tune_reg.data.root import cache
from tune_reg.errors import DataError

TIMEOUT_S = 10.0  # for one answer of a server: a firewall that drops packets must not hold up a study


def md5(path: Path) -> str:
    """The md5 of a file's content, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_files(name: str, folder: Path, expected: Mapping[str, str]) -> None:
    """Raise DataError naming the first of the files (path in the folder -> md5) that is not as published."""
    for file, published in expected.items():
        path = folder / file
        actual = md5(path)
        if actual != published:
            raise damaged(name, path, actual, published)


def damaged(name: str, path: Path, actual: str, published: str) -> DataError:
    """The error for a file with another content than its publisher's."""
    return DataError(
        f"{name}: {path} is not the published file: its md5 is {actual}, it must be {published}; "
        "delete it to fetch it anew, or replace it by a whole copy"
    )


def all_present(folder: Path, files: Iterable[str]) -> bool:
    """Whether the folder holds all the files, given as paths in it."""
    return all((folder / file).is_file() for file in files)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path``, which is renamed to ``path`` at the end if nothing was raised.

    Several processes may write the same path at once: each has its own temporary file, and the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def download(
    name: str,
    target: Path,
    files: Iterable[str],
    fetch: Callable[[Path], object],
    *,
    archive: Path | None = None,
    otherwise: str,
) -> None:
    """Download ``files`` into ``target``: ``fetch`` puts them into a temporary folder, from which they are moved.

    ``files``: paths in the folder. One process downloads, and others wait for it. ``archive``: a whole copy of the file
    that the publisher packs the files in; ``fetch`` finds it in its folder and need not download it. ``otherwise``: the
    end of the DataError that is raised where there is no network, with other ways to get the files.
    """
    files = list(files)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(target)):
            if all_present(target, files):
                return
            with tempfile.TemporaryDirectory(dir=target, prefix=".download-") as temporary:
                stage = Path(temporary)
                if archive is not None:
                    (stage / archive.name).symlink_to(archive)
                with _timeout(TIMEOUT_S):
                    fetch(stage)
                for file in files:
                    (target / file).parent.mkdir(parents=True, exist_ok=True)
                    (stage / file).replace(target / file)
    # The errors of torchvision for a network that is absent, slow or gives wrong answers.
    except (OSError, RuntimeError, http.client.HTTPException, EOFError, tarfile.TarError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        missing = next((target / file for file in files if not (target / file).is_file()), target)
        raise DataError(
            f"{name}: {missing} is not there, and the download failed ({type(error).__name__}: {reason}); "
            f"either run this once where there is a network, or {otherwise}"
        ) from error


def _lock(target: Path) -> Path:
    # In the cache, so that no lock file stays in a folder of the user.
    key = hashlib.md5(str(target).encode(), usedforsecurity=False).hexdigest()
    path = cache() / "locks" / f"{key}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Within this context, a server has so many seconds for an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

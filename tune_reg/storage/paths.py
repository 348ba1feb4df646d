"""Paths of results: a folder of this machine, or one in an object store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from tune_reg.errors import StoreError, one_line
from tune_reg.storage.atomic_file import write_atomic
from tune_reg.storage.remote_path import RemotePath

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+):(/*)")
#: These are memory of one process, or can only be read.
_REFUSED: Final = ("memory", "http", "https", "data", "reference")
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}

StoragePath: TypeAlias = Path | RemotePath


def to_path(text: str | StoragePath, *, has_answered: bool = False) -> StoragePath:
    """The path that a user names: a plain path, ``file:///path``, or a URL of an object store.

    ``has_answered``: another process has used the store already, so that it is waited for where it does not answer.
    ``StoreError``, in one line, where there can be no such path.

    >>> to_path("out/digits")
    PosixPath('out/digits')
    >>> to_path("file:///out/digits")
    PosixPath('/out/digits')
    """
    if isinstance(text, RemotePath):
        return text
    given = str(text)
    if isinstance(text, Path):
        if (match := _SCHEME.match(given)) and match[2]:
            raise StoreError(f"{given}: a URL must be given as text, as a Path loses one of its slashes")
        return expanded(text)
    folder = as_folder(given)
    if folder is not None:
        return expanded(folder)
    path = _remote(given, given.partition("://")[0])
    if has_answered:
        path.has_answered()
    return path


def expanded(path: str | Path) -> Path:
    """The path with a leading ``~`` or ``~user`` replaced by the home folder, which a shell leaves as in ``--out=~/x``.

    ``StoreError`` where there is no such home.

    >>> expanded("out/~")
    PosixPath('out/~')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise StoreError(f"{path}: this home folder is not known; set HOME, or write the path out") from None


def as_folder(text: str) -> str | None:
    """The folder that a text names, plainly or as ``file:///path``; None where the text names an object store.

    What a store needs need not be installed here. ``StoreError`` where there can be no such path, or credentials stand
    in its URL.

    >>> as_folder("file:///out/digits"), as_folder("s3://bucket/digits")
    ('/out/digits', None)
    """
    match = _SCHEME.match(text)
    if match is None or len(match[2]) < 2:
        return text
    url = urlsplit(text)
    if "@" in url.netloc:
        raise StoreError(f"{match[1]}://...: credentials must not stand in a URL; put them into the environment")
    if match[1] == "file":
        if url.netloc:
            raise StoreError(f"{text}: must be file:/// and an absolute path, or a plain path")
        return unquote(url.path)
    import fsspec

    if match[1] in _REFUSED:
        raise StoreError(f"{text}: {match[1]}:// cannot hold results; give a path, file://, s3:// or gs://")
    if match[1] not in fsspec.available_protocols():
        raise StoreError(f"{text}: no filesystem is known as {match[1]}://; give a path, file://, s3:// or gs://")
    return None


def _remote(text: str, scheme: str) -> RemotePath:
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'tune-reg[{extra}]'" if extra else one_line(error)
        raise StoreError(f"{text}: {scheme}:// needs a package that is not installed: {how}") from None
    path = str(kind._strip_protocol(text)).rstrip("/")
    if not path:
        raise StoreError(f"{text}: must name a bucket, as {scheme}://BUCKET/FOLDER")
    return RemotePath(scheme, path)


def write_whole(path: StoragePath, data: bytes) -> None:
    """Write a file that is whole or absent, whenever the process dies."""
    if isinstance(path, RemotePath):
        path.write_bytes(data)
    else:
        write_atomic(path, data)


def read_all(paths: Sequence[StoragePath]) -> list[bytes]:
    """The contents of many files; from a store they come at once. ``OSError`` names the first that is missing."""
    remote = [path for path in paths if isinstance(path, RemotePath)]
    if len(remote) < 2:
        return [path.read_bytes() for path in paths]
    return remote[0].read_all(remote)


def remove_folder(path: StoragePath) -> None:
    """Remove a folder and what is in it, as far as possible."""
    if isinstance(path, RemotePath):
        unlink_all(path.glob("*"))
    else:
        shutil.rmtree(path, ignore_errors=True)


def unlink_all(paths: Iterable[StoragePath]) -> None:
    """Remove files; one that is gone already is no mistake."""
    for path in paths:
        path.unlink(missing_ok=True)

"""Where results lie: a folder on this machine, or one in an object store (``s3://``, ``gs://`` and what fsspec knows).

An object store writes a file whole or not at all, has no folders and cannot append. Its credentials and its address
are its own business: they stand in the environment, as for any other program that uses it.
"""

from __future__ import annotations

import errno
import fnmatch
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.files import write_atomic

#: So long a store that has answered before is asked again, before it is taken for lost.
PATIENCE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 5.0

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+):(/*)")
#: These are memory of one process, or can only be read.
_REFUSED: Final = ("memory", "http", "https", "data", "reference")
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}

#: Stores that have answered in this process.
_answered: set[str] = set()

_T = TypeVar("_T")


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or a folder in an object store, with as much of ``pathlib.Path`` as results need.

    A call that fails for another reason than that a file is missing or there is tried again for ``PATIENCE_S``, where
    the store has answered before in this process; then it raises ``UnreachableError``, which is an ``OSError``.
    """

    scheme: str
    path: str  # as fsspec has it, with the bucket: no slash at the end

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str | PurePosixPath) -> RemotePath:
        return RemotePath(self.scheme, f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The same without what follows its last dot."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> RemotePath:
        """The folder that it lies in; of a bucket, itself."""
        return RemotePath(self.scheme, self.path.rpartition("/")[0] or self.path)

    def with_name(self, name: str) -> RemotePath:
        """The file ``name`` beside it."""
        return self.parent / name

    def absolute(self) -> RemotePath:
        """Itself."""
        return self

    def exists(self) -> bool:
        """Whether there is a file or a folder with files."""
        try:
            self._tried(self._store.info, self.path)
        except FileNotFoundError:
            return False
        return True

    def is_file(self) -> bool:
        """Whether it is a file."""
        try:
            return bool(self._tried(self._store.info, self.path)["type"] == "file")
        except FileNotFoundError:
            return False

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there once a file in it is."""

    def read_bytes(self, start: int | None = None, end: int | None = None) -> bytes:
        """The content of the file, or its bytes from ``start`` to before ``end``."""
        content: bytes = self._tried(self._store.cat_file, self.path, start=start, end=end)
        return content

    def read_text(self, encoding: str) -> str:
        """The content of the file as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Put a file there, whole or not at all."""
        self._tried(self._store.pipe_file, self.path, data)

    def create(self, data: bytes) -> None:
        """The same, but ``FileExistsError`` where another content is there: of two who do this, one succeeds.

        On a store without conditional writes, both may.
        """
        try:
            self._tried(self._store.pipe_file, self.path, data, mode="create")
        except (FileExistsError, UnreachableError) as error:
            # The same content is our own: the first try was done, but its answer was lost. Not every store says
            # plainly which condition failed.
            refused = isinstance(error, FileExistsError) or "condition" in str(error).lower()
            if not refused or self.read_bytes() != data:
                raise

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            self._tried(self._store.rm_file, self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def glob(self, pattern: str) -> list[RemotePath]:
        """The files and folders in this folder whose names match."""
        try:
            found: list[str] = self._tried(self._store.ls, self.path, detail=False)
        except FileNotFoundError:
            return []
        names = {path.rstrip("/").rpartition("/")[2] for path in found}
        return [self / name for name in sorted(names) if fnmatch.fnmatchcase(name, pattern)]

    def files(self) -> list[RemotePath]:
        """Every file below this folder, sorted."""
        found: list[str] = self._tried(self._store.find, self.path)
        return [RemotePath(self.scheme, path) for path in sorted(found)]

    @property
    def _store(self) -> Any:
        import fsspec

        # A listing of a minute ago is of no use: other processes write, too. fsspec keeps the instance.
        return fsspec.filesystem(self.scheme, use_listings_cache=False)

    def _tried(self, call: Callable[..., _T], *args: Any, **keywords: Any) -> _T:
        store = f"{self.scheme}://{self.path.strip('/').partition('/')[0]}"
        give_up, pause = time.monotonic() + PATIENCE_S, 0.25
        while True:
            try:
                result = call(*args, **keywords)
            except (FileNotFoundError, FileExistsError) as error:
                number = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EEXIST
                raise type(error)(number, one_line(error), str(self)) from None
            except Exception as error:  # each filesystem has exceptions of its own
                over = store not in _answered or isinstance(error, PermissionError)
                if over or time.monotonic() + pause > give_up:
                    raise UnreachableError(str(self), one_line(error) or type(error).__name__) from error
            else:
                _answered.add(store)
                return result
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


Place: TypeAlias = Path | RemotePath


def located(text: str | Place, *, answered: bool = False) -> Place:
    """The place that a user names: a path, ``file:///path``, or a URL of an object store.

    ``answered``: another process has used it already, so that it is waited for where it does not answer.
    ``StoreError``, in one line, where there can be no such place.

    >>> located("out/digits")
    PosixPath('out/digits')
    >>> located("file:///out/digits")
    PosixPath('/out/digits')
    """
    if isinstance(text, RemotePath):
        return text
    said = str(text)
    if isinstance(text, Path):
        if (match := _SCHEME.match(said)) and match[2]:
            raise StoreError(f"{said}: a URL must be given as text, as a Path loses one of its slashes")
        return text
    folder = as_folder(said)
    if folder is not None:
        return Path(folder)
    scheme = said.partition("://")[0]
    place = _remote(said, scheme)
    if answered:
        _answered.add(f"{scheme}://{place.path.strip('/').partition('/')[0]}")
    return place


def as_folder(text: str) -> str | None:
    """The path that a text names: itself, or that of ``file:///path``; None where it names an object store.

    What a store needs need not be installed here. ``StoreError`` where there can be no such place, or credentials stand
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


def _remote(said: str, scheme: str) -> RemotePath:
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'tune-reg[{extra}]'" if extra else one_line(error)
        raise StoreError(f"{said}: {scheme}:// needs a package that is not installed: {how}") from None
    path = str(kind._strip_protocol(said)).rstrip("/")
    if not path:
        raise StoreError(f"{said}: must name a bucket, as {scheme}://BUCKET/FOLDER")
    return RemotePath(scheme, path)


def write_whole(place: Place, data: bytes) -> None:
    """Write a file that is whole or absent, whenever the process dies."""
    if isinstance(place, RemotePath):
        place.write_bytes(data)
    else:
        write_atomic(place, data)


def read_all(places: Sequence[Place]) -> list[bytes]:
    """The contents of many files; from a store they come at once. ``OSError`` names the first that is missing."""
    remote = [place for place in places if isinstance(place, RemotePath)]
    if len(remote) < 2:
        return [place.read_bytes() for place in places]
    contents: dict[str, bytes] = remote[0]._tried(remote[0]._store.cat, [place.path for place in remote])
    return [contents[place.path] for place in remote]


def remove_folder(place: Place) -> None:
    """Remove a folder and what is in it, as far as possible."""
    if isinstance(place, RemotePath):
        unlink_all(place.glob("*"))
    else:
        shutil.rmtree(place, ignore_errors=True)


def unlink_all(places: Iterable[Place]) -> None:
    """Remove files; one that is gone already is no mistake."""
    for place in places:
        place.unlink(missing_ok=True)

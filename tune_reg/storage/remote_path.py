"""A file or folder of an object store (``s3://``, ``gs://`` and what fsspec knows), used like ``pathlib.Path``.

An object store writes a file whole or not at all, has no folders and cannot append. Its credentials and its address
are its own business: they stand in the environment, as for any other program that uses the store.
"""

from __future__ import annotations

import errno
import fnmatch
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from tune_reg.errors import UnreachableError, one_line

#: Seconds for which a store that has answered before is asked again, before it is taken for lost.
PATIENCE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 5.0

#: Stores that have answered in this process, as ``scheme://bucket``.
_answered: set[str] = set()

_T = TypeVar("_T")


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or a folder in an object store, with as much of ``pathlib.Path`` as results need.

    A call that fails for another reason than that a file is missing or exists already is tried again for
    ``PATIENCE_S`` seconds, where the store has answered before in this process; then it raises ``UnreachableError``,
    which is an ``OSError``.
    """

    scheme: str
    path: str  # as fsspec has it, with the bucket: no slash at the end

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str | PurePosixPath) -> RemotePath:
        return RemotePath(self.scheme, f"{self.path}/{name}")

    @property
    def bucket(self) -> str:
        """The store and the bucket of the path, as ``scheme://bucket``."""
        return f"{self.scheme}://{self.path.strip('/').partition('/')[0]}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part of the path without what follows its last dot."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> RemotePath:
        """The folder that the path lies in; of a bucket, the bucket."""
        return RemotePath(self.scheme, self.path.rpartition("/")[0] or self.path)

    def with_name(self, name: str) -> RemotePath:
        """The path of the file ``name`` in the folder of this one."""
        return self.parent / name

    def absolute(self) -> RemotePath:
        """This path, which is always absolute."""
        return self

    def exists(self) -> bool:
        """Whether the path names a file, or a folder with files."""
        try:
            self._with_patience(self._store.info, self.path)
        except FileNotFoundError:
            return False
        return True

    def is_file(self) -> bool:
        """Whether the path names a file."""
        try:
            return bool(self._with_patience(self._store.info, self.path)["type"] == "file")
        except FileNotFoundError:
            return False

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: a folder of an object store exists once a file in it does."""

    def read_bytes(self, start: int | None = None, end: int | None = None) -> bytes:
        """The content of the file, or its bytes from ``start`` to before ``end``."""
        content: bytes = self._with_patience(self._store.cat_file, self.path, start=start, end=end)
        return content

    def read_text(self, encoding: str) -> str:
        """The content of the file as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Write the file, whole or not at all."""
        self._with_patience(self._store.pipe_file, self.path, data)

    def create(self, data: bytes) -> None:
        """Write a new file; ``FileExistsError`` where another content exists: of two who do this, one succeeds.

        On a store without conditional writes, both may.
        """
        try:
            self._with_patience(self._store.pipe_file, self.path, data, mode="create")
        except (FileExistsError, UnreachableError) as error:
            # An equal content was written here: the first try was done, but its answer was lost. Not every store says
            # plainly which condition failed.
            refused = isinstance(error, FileExistsError) or "condition" in str(error).lower()
            if not refused or self.read_bytes() != data:
                raise

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            self._with_patience(self._store.rm_file, self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def glob(self, pattern: str) -> list[RemotePath]:
        """The files and folders in this folder whose names match."""
        try:
            paths: list[str] = self._with_patience(self._store.ls, self.path, detail=False)
        except FileNotFoundError:
            return []
        names = {path.rstrip("/").rpartition("/")[2] for path in paths}
        return [self / name for name in sorted(names) if fnmatch.fnmatchcase(name, pattern)]

    def files(self) -> list[RemotePath]:
        """Every file below this folder, sorted."""
        paths: list[str] = self._with_patience(self._store.find, self.path)
        return [RemotePath(self.scheme, path) for path in sorted(paths)]

    def read_all(self, paths: list[RemotePath]) -> list[bytes]:
        """The contents of several files of this store, which come at once."""
        contents: dict[str, bytes] = self._with_patience(self._store.cat, [path.path for path in paths])
        return [contents[path.path] for path in paths]

    def has_answered(self) -> None:
        """Note that another process has used the store, so that it is waited for where it does not answer."""
        _answered.add(self.bucket)

    @property
    def _store(self) -> Any:
        import fsspec

        # A listing of a minute ago is of no use: other processes write, too. fsspec keeps the instance.
        return fsspec.filesystem(self.scheme, use_listings_cache=False)

    def _with_patience(self, call: Callable[..., _T], *args: Any, **keywords: Any) -> _T:
        give_up, pause = time.monotonic() + PATIENCE_S, 0.25
        while True:
            try:
                result = call(*args, **keywords)
            except (FileNotFoundError, FileExistsError) as error:
                number = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EEXIST
                raise type(error)(number, one_line(error), str(self)) from None
            except Exception as error:  # each filesystem has exceptions of its own
                over = self.bucket not in _answered or isinstance(error, PermissionError)
                if over or time.monotonic() + pause > give_up:
                    raise UnreachableError(str(self), one_line(error) or type(error).__name__) from error
            else:
                _answered.add(self.bucket)
                return result
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

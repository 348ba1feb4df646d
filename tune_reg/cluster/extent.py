"""How far a study is, as one line: ``python -m tune_reg.cluster.extent DIR``.

The line changes when anything more was trained: a script that sends itself into the queue again asks for it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

from tune_reg.errors import TuneRegError
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.storage.remote_path import RemotePath

#: The folders that training writes into.
_TRAINED = ("tables", "checkpoints")


def extent(directory: StoragePath) -> str:
    """A digest of the names of all files that trainings have written; of none where there is no such folder."""
    names = hashlib.sha256()
    for name in sorted(_names(directory)):
        names.update(name.encode() + b"\0")
    return names.hexdigest()[:16]


def _names(directory: StoragePath) -> Iterator[str]:
    if isinstance(directory, RemotePath):
        for file in directory.files():
            name = file.path.removeprefix(f"{directory.path}/")
            if name.startswith(tuple(f"{folder}/" for folder in _TRAINED)):
                yield name
        return
    for folder in _TRAINED:
        for path in (directory / folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(directory).as_posix()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{extent(to_path(sys.argv[1]))}\n")
    except (TuneRegError, OSError) as error:
        sys.exit(f"tune-reg: {error}")

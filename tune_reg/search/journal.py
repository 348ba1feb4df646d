"""The journal: Optuna's file on a disk, numbered objects in an object store, which cannot append.

``search.journal`` has one log a line, in both. In a store the logs since it was last opened lie beside it, in
``search.journal.new/NUMBER.jsonl``, where NUMBER is that of the first log in the object. When the journal is opened,
they are put behind the others in one write and then removed. A process killed between the two leaves objects whose
logs the journal has already, as their numbers say: nothing is lost or read twice.
"""

from __future__ import annotations

import json
from typing import Any, Final

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import FrozenTrial

from tune_reg.errors import StoreError
from tune_reg.places import Place, RemotePath, read_all, unlink_all, write_whole

#: So many objects are put into the first of them: to open the journal, few are then to be read.
_JOINED: Final = 500


def open_journal(path: Place) -> JournalStorage:
    """The Optuna storage of the journal at ``path``, which the caller alone writes.

    What a process that was killed left half done is removed: the beginning of a line, which the next line would be
    written behind, and the lock, for which Optuna would wait.
    """
    if isinstance(path, RemotePath):
        return JournalStorage(ObjectJournal(path))
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)
    joined(path)  # of a directory that was brought home from a store
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def read_journal(path: Place) -> dict[str, list[FrozenTrial]]:
    """The trials of each study in the journal, by its name, as they are now. Another process may be writing it."""
    storage = JournalStorage(_Lines(_read(path)[0]))
    return {study.study_name: storage.get_all_trials(study._study_id) for study in storage.get_all_studies()}


def joined(path: Place) -> list[bytes]:
    """The lines of the journal, after those in objects beside it have been put into it."""
    lines, before, objects = _read(path)
    if len(lines) > before:
        write_whole(path, b"".join(line + b"\n" for line in lines))
    unlink_all(objects)
    return lines


def _read(path: Place) -> tuple[list[bytes], int, list[Place]]:
    """The lines of the journal with those in objects beside it, how many are in itself, and the objects.

    Not the beginning of a line that is being written.
    """
    objects = {int(place.stem): place for place in path.with_name(f"{path.name}.new").glob("*.jsonl")}
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    before = len(lines)
    numbers = sorted(objects)
    for number, content in zip(numbers, read_all([objects[number] for number in numbers]), strict=True):
        if number > len(lines):
            raise StoreError(
                f"{path}: the log {len(lines)} is missing, but {objects[number]} is there; bring it back from a copy"
            )
        if number == len(lines):
            lines += content.splitlines()
    return lines, before, list(objects.values())


class _Lines(BaseJournalBackend):
    """A journal that is only read."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines[log_number_from:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        raise NotImplementedError


class ObjectJournal(BaseJournalBackend):
    """An Optuna journal in an object store. One process writes it at a time.

    Each append is an object of its own and is stored when the call returns. Where another process has appended
    meanwhile, its object has the number that this one would have, and the call raises ``FileExistsError`` (on stores
    with conditional writes, as S3 and Google's are).
    """

    def __init__(self, path: RemotePath) -> None:
        self._folder = path.with_name(f"{path.name}.new")
        self._lines = joined(path)
        self._objects: list[tuple[RemotePath, bytes]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """The logs from a number on: those that were there and those appended here."""
        return [json.loads(line) for line in self._lines[log_number_from:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Store ``logs``."""
        lines = [json.dumps(log, separators=(",", ":")).encode() for log in logs]
        content = b"".join(line + b"\n" for line in lines)
        place = self._folder / f"{len(self._lines):012d}.jsonl"
        place.create(content)
        self._lines += lines
        self._objects.append((place, content))
        if len(self._objects) >= _JOINED:
            self._join()

    def _join(self) -> None:
        """Put the objects into the first of them; the numbers of the others then say that they are old."""
        first, *others = [place for place, _ in self._objects]
        first.write_bytes(b"".join(content for _, content in self._objects))
        unlink_all(others)
        self._objects.clear()

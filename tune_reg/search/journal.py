"""The journal: Optuna's file on a disk, numbered objects in an object store, which cannot append.

In both cases ``search.journal`` has one log a line. In an object store the logs that were appended since the journal
was last opened lie beside it, in ``search.journal.new/NUMBER.jsonl``, where NUMBER is that of the first log in the
object. When the journal is opened, these logs are appended to it in one write, and the objects are then removed. A
process killed between the two steps leaves objects whose logs the journal has already, as their numbers say: nothing is
lost or read twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.storages.journal._storage import JournalStorageReplayResult
from optuna.trial import FrozenTrial

from tune_reg.errors import StoreError, UnreachableError, one_line
from tune_reg.search.pauses import Standing, step_of
from tune_reg.search.trial import TrialCounts
from tune_reg.search.trial_statistics import TrialStatistics
from tune_reg.storage.paths import StoragePath, unlink_all, write_whole
from tune_reg.storage.remote_path import RemotePath
from tune_reg.store.journal_keys import JournalLines, journal_lines

#: After so many objects their logs are joined in the first of them: to open the journal, few objects are then read.
_JOINED: Final = 500


class DamagedJournalError(StoreError):
    """A journal that something else than a killed process damaged. ``lines``: those before the damage."""

    def __init__(self, path: StoragePath, reason: str, lines: list[bytes]) -> None:
        super().__init__(f"{path} cannot be read ({reason}); bring it back from a copy")
        self.lines = lines


def open_journal(path: StoragePath) -> JournalStorage:
    """The Optuna storage of the journal at ``path``, which the caller alone writes.

    What a killed process left half done is removed: the beginning of a line, after which the next line would be
    written, and the lock, for which Optuna would wait. ``DamagedJournalError`` where anything else is wrong with the
    file, and ``StoreError`` where it may not be read.
    """
    if path.exists() and not path.is_file():
        raise DamagedJournalError(path, "it is a folder", [])
    try:
        return _opened(path)
    except (StoreError, UnreachableError):
        raise
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read or written ({error.strerror}); mend that, and give the command again"
        ) from None
    except Exception as error:  # Optuna takes every line as it is
        raise DamagedJournalError(path, *_damage(_read(path).lines, error)) from None


def in_memory(lines: list[bytes]) -> JournalStorage:
    """The Optuna storage of lines of a journal, to which nothing can be written."""
    return JournalStorage(_Lines(lines))


def _damage(lines: list[bytes], error: Exception) -> tuple[str, list[bytes]]:
    """Which line of a journal is damaged, in words, and the lines before it."""
    replayed = JournalStorageReplayResult("")
    for number, line in enumerate(lines):
        try:
            replayed.apply_logs([json.loads(line)])
        except Exception:  # as above
            return f"its line {number + 1} is damaged", lines[:number]
    return one_line(error) or type(error).__name__, []


def _opened(path: StoragePath) -> JournalStorage:
    if isinstance(path, RemotePath):
        return JournalStorage(ObjectJournal(path))
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)
    join(path)  # the directory may have been copied from a store
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def read_journal(path: StoragePath) -> dict[str, list[FrozenTrial]]:
    """The trials of each study in the journal, by its name, as they are now. Another process may be writing it."""
    lines = _read(path).lines
    try:
        storage = in_memory(lines)
    except Exception as error:  # Optuna takes every line as it is
        raise DamagedJournalError(path, *_damage(lines, error)) from None
    return {study.study_name: storage.get_all_trials(study._study_id) for study in storage.get_all_studies()}


@dataclass(frozen=True)
class JournalProgress:
    """How far a task of a journal is: its trials by state, and the epochs that they have trained."""

    counts: TrialCounts
    epochs: int


def read_progress(path: StoragePath, last: int) -> dict[str, JournalProgress]:
    """How far each task in the journal is, by the task's name. Another process may be writing the journal.

    ``last``: the step at which a trial ends.
    """
    return {
        name: JournalProgress(_counts(trials, last), sum(map(step_of, trials)))
        for name, trials in read_journal(path).items()
    }


def _counts(trials: list[FrozenTrial], last: int) -> TrialCounts:
    counts = TrialStatistics.of(trials).counts()
    paused = sum(Standing.of(trial).is_waiting(last) for trial in trials)
    return replace(counts, running=counts.running - paused, paused=paused)


def join(path: StoragePath) -> list[bytes]:
    """The lines of the journal, after the lines in objects beside it have been appended to it."""
    lines, in_file, objects = _read(path)
    if len(lines) > in_file:
        write_whole(path, b"".join(line + b"\n" for line in lines))
    unlink_all(objects.values())
    return lines


def _read(path: StoragePath) -> JournalLines:
    """The whole lines of the journal; ``StoreError`` where some are missing before those of an object."""
    read = journal_lines(path)
    beyond = min((number for number in read.objects if number > len(read.lines)), default=None)
    if beyond is not None:
        raise StoreError(
            f"{path}: the log {len(read.lines)} is missing, but {read.objects[beyond]} is there; bring it back from a "
            "copy"
        )
    return read


class _Lines(BaseJournalBackend):
    """Lines of a journal that is only read."""

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
        self._lines = join(path)
        self._objects: list[tuple[RemotePath, bytes]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """The logs from a number on: those read when the journal was opened and those appended since."""
        return [json.loads(line) for line in self._lines[log_number_from:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append ``logs`` as one object."""
        lines = [json.dumps(log, separators=(",", ":")).encode() for log in logs]
        content = b"".join(line + b"\n" for line in lines)
        appended = self._folder / f"{len(self._lines):012d}.jsonl"
        appended.create(content)
        self._lines += lines
        self._objects.append((appended, content))
        if len(self._objects) >= _JOINED:
            self._join()

    def _join(self) -> None:
        """Put the logs of all objects into the first one; the numbers of the others then say that they are old."""
        first, *others = [item for item, _ in self._objects]
        first.write_bytes(b"".join(content for _, content in self._objects))
        unlink_all(others)
        self._objects.clear()

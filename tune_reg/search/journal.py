"""The journal file, made whole before it is opened."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def open_journal(path: Path) -> JournalStorage:
    """The Optuna storage of the journal at ``path``, which the caller alone writes.

    What a process that was killed left half done is removed: the beginning of a line, which the next line would be
    written behind, and the lock, for which Optuna would wait.
    """
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with path.open("r+b") as file:
                file.truncate(whole)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))

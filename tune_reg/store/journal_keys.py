"""What the journal says of trials that are over, for readers of the tables: without Optuna, whose format it has.

A trial is in the tables before the journal says that it is over. So a trial that is over in the journal and that the
tables do not hold was lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tune_reg.errors import UnreachableError, one_line
from tune_reg.storage.paths import StoragePath, read_all

JOURNAL: Final = "search.journal"
_CREATE_STUDY, _CREATE_TRIAL, _SET_STATE = 0, 4, 6
_OVER: Final = (1, 2, 3)  # complete, pruned, failed


@dataclass(frozen=True)
class JournalKeys:
    """The keys of the trials that are over. ``problem``: why the journal cannot be read, in one line."""

    over: frozenset[str] = frozenset()
    exists: bool = True
    problem: str | None = None


def search_key(task: str) -> str:
    """The beginning of the keys of all trials of the task with this name.

    >>> search_key("adadecay at 0.25"), search_key("l1 at 5 a class")
    ('adadecay-at-0.25', 'l1-at-5-a-class')
    """
    regularizer, _, size = task.rpartition(" at ")
    return f"{regularizer}-at-{size.replace(' ', '-')}"


def trial_key(task: str, number: int) -> str:
    """The key of a trial of the task with this name.

    >>> trial_key("adadecay at 0.25", 3)
    'adadecay-at-0.25-trial-00003'
    """
    return f"{search_key(task)}-trial-{number:05d}"


def read_journal_keys(directory: StoragePath) -> JournalKeys:
    """The keys of the trials that are over in the journal of a results directory. Another process may be writing it."""
    path = directory / JOURNAL
    try:
        if not path.exists():
            return JournalKeys(exists=False)
        return JournalKeys(_over(json.loads(line) for line in journal_lines(path).lines))
    except UnreachableError:
        raise
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        return JournalKeys(problem=f"{path} cannot be read ({reason})")


class JournalLines(NamedTuple):
    """The whole lines of a journal, and where they are from."""

    lines: list[bytes]
    #: How many of the lines the journal's own file has.
    in_file: int
    #: The objects beside the file, by the number of their first line.
    objects: dict[int, StoragePath]


def journal_lines(path: StoragePath) -> JournalLines:
    """The whole lines of the journal, and of the objects beside it whose lines it does not have yet, up to a gap.

    The beginning of a line that is being written is left out.
    """
    objects = {int(item.stem): item for item in path.with_name(f"{path.name}.new").glob("*.jsonl")}
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    in_file = len(lines)
    numbers = sorted(objects)
    for number, content in zip(numbers, read_all([objects[number] for number in numbers]), strict=True):
        if number == len(lines):
            lines += content.splitlines()
    return JournalLines(lines, in_file, objects)


def _over(logs: Iterable[Any]) -> frozenset[str]:
    studies: list[str] = []
    trials: list[tuple[int, int]] = []  # the study of each trial, and its number there
    counts: list[int] = []
    over: set[int] = set()
    for log in logs:
        code = log["op_code"]
        if code == _CREATE_STUDY and log["study_name"] not in studies:
            studies.append(log["study_name"])
            counts.append(0)
        elif code == _CREATE_TRIAL:
            study = log["study_id"]
            if log.get("state") in _OVER:
                over.add(len(trials))
            trials.append((study, counts[study]))
            counts[study] += 1
        elif code == _SET_STATE and log["state"] in _OVER:
            over.add(log["trial_id"])
    return frozenset(trial_key(studies[study], number) for study, number in map(trials.__getitem__, over))

"""Where a sweep stands: as the one that runs it knows, or as its directory says, which anybody can read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath
from tune_reg.search.journal import read_journal
from tune_reg.search.trial_statistics import TrialStatistics
from tune_reg.store import Results
from tune_reg.study import Study, Task


@dataclass(frozen=True)
class TaskProgress:
    """Where one task of the search stands."""

    task: Task
    running: int
    done: int
    pruned: int
    failed: int
    best: float | None


@dataclass(frozen=True)
class StudyProgress:
    """Where the sweep stands. Times are in seconds; ``left_s`` is None until one epoch is known."""

    tasks: tuple[TaskProgress, ...]
    confirmed: int
    confirming: int
    confirmations: int
    epochs: int
    elapsed_s: float
    left_s: float | None


def epochs_left(
    tasks: Sequence[TaskProgress], *, epochs: int, trained: int, confirmed: int, confirmations: int
) -> float:
    """Epochs that are left, if trials go on taking as many as so far.

    ``epochs``: of a run that is not stopped. ``trained``: so far, in trials and confirmed runs.
    """
    ended = sum(task.done + task.pruned + task.failed for task in tasks)
    a_trial = max(1.0, min(float(epochs), (trained - confirmed * epochs) / max(ended, 1)))
    return a_trial * (sum(task.task.trials for task in tasks) - ended) + epochs * (confirmations - confirmed)


class DirectoryProgress:
    """Reads a directory again and again; how long the rest takes is told by what was trained meanwhile.

    ``text``: the study file that is run there; another study's directory is taken for none.
    """

    def __init__(self, study: Study, text: str, directory: StoragePath) -> None:
        self._study = study
        self._text = text.encode()
        self._directory = directory
        self._begin = time.monotonic()
        self._before: int | None = None
        self._last: StudyProgress | None = None
        self._next = self._begin  # when it is read again: a large study takes seconds

    def __call__(self) -> StudyProgress | None:
        """Where the study stands now; None where the directory does not hold it, or cannot be seen from here."""
        begin = time.monotonic()
        if begin < self._next:
            return self._last
        try:
            if (self._directory / "study.toml").read_bytes() == self._text:
                self._last = self._timed(progress(self._study, self._directory))
        except (OSError, StoreError):
            pass  # what is written at this moment, or a store that does not answer, is read at the next look
        end = time.monotonic()
        self._next = end + 5 * (end - begin)
        return self._last

    def _timed(self, now: StudyProgress) -> StudyProgress:
        if self._before is None:
            self._before = now.epochs
        seconds = time.monotonic() - self._begin
        trained = now.epochs - self._before
        left = epochs_left(
            now.tasks,
            epochs=self._study.training.epochs,
            trained=now.epochs,
            confirmed=now.confirmed,
            confirmations=now.confirmations,
        )
        return replace(now, elapsed_s=seconds, left_s=left * seconds / trained if trained > 0 else None)


def progress(study: Study, directory: StoragePath) -> StudyProgress:
    """Where the study in ``directory`` stands, from its journal and its tables; nothing is written.

    Epochs of confirmed runs count when the run is stored. Times are those of the reader: 0 and None.
    """
    trials = read_journal(directory / "search.journal")
    tasks = tuple(_task(task, trials.get(task.name, [])) for task in study.tasks())
    final = Results(directory).final()
    searched = sum(max(trial.intermediate_values, default=0) for task in trials.values() for trial in task)
    # Confirmed runs keep their checkpoints.
    begun = sum("-from-" in place.name for place in (directory / "checkpoints").glob("*"))
    return StudyProgress(
        tasks=tasks,
        confirmed=final.num_rows,
        confirming=max(0, begun - final.num_rows),
        confirmations=len(study.confirmations()),
        epochs=searched + sum(final["epochs"].to_pylist()),
        elapsed_s=0.0,
        left_s=None,
    )


def _task(task: Task, trials: list[FrozenTrial]) -> TaskProgress:
    standing = TrialStatistics.of(trials)
    return TaskProgress(
        task,
        running=standing.running,
        done=standing.ended[TrialState.COMPLETE],
        pruned=standing.ended[TrialState.PRUNED],
        failed=standing.ended[TrialState.FAIL],
        best=standing.best,
    )

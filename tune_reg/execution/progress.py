"""How far a study is: as its controller knows, or as its results directory says, which anybody can read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune_reg.errors import StoreError
from tune_reg.execution.rounds import newest_looks, of_first_seeds, seeds_asked, seeds_at_most
from tune_reg.execution.study_run import is_confirm_key
from tune_reg.search.journal import JournalProgress, read_progress
from tune_reg.storage.paths import StoragePath
from tune_reg.store import ACCURACY, Metric, Results
from tune_reg.store.rows import from_arrow
from tune_reg.store.seal import unsealed_text
from tune_reg.study import StudyPlan, Task, has_model


@dataclass(frozen=True)
class TaskProgress:
    """How far one task of the search is: its trials by state, and the best value so far.

    ``running``: trials under way, less those that wait for processors, where ``waiting`` says how many do.
    """

    task: Task
    running: int
    done: int
    pruned: int
    failed: int
    best: float | None
    paused: int = 0
    #: Where a model searches: what was begun of the budget, in whole trainings. Else None: the budget counts trials.
    trainings: float | None = None
    #: Trials at shared values and at the best point of the space, which come on top of the budget.
    added: int = 0
    #: Trials that wait for processors; None where a directory was read, which does not tell them from running ones.
    waiting: int | None = None

    @property
    def used(self) -> float:
        """What is used of the budget: trials that have ended, or trainings where a model searches."""
        return self.done + self.pruned + self.failed if self.trainings is None else self.trainings

    @property
    def budget(self) -> int:
        """How much is to be used."""
        return self.task.trials + self.added


@dataclass(frozen=True)
class StudyProgress:
    """How far the study is. Times are in seconds; ``left_s`` is None until the time of an epoch can be told."""

    tasks: tuple[TaskProgress, ...]
    confirmed: int
    confirming: int
    confirmations: int
    #: In rounds more than are asked for so far may come.
    confirmations_at_most: int
    epochs: int
    elapsed_s: float
    left_s: float | None
    #: Confirmed runs that wait for processors, beside those that are ``confirming``.
    confirming_waiting: int = 0
    #: That the best values are of.
    metric: Metric = ACCURACY


def epochs_left(
    tasks: Sequence[TaskProgress], *, epochs: int, trained: int, confirmed: int, confirmations: int
) -> float:
    """How many epochs are left, if trials go on taking as many as so far.

    ``epochs``: of a run that is not stopped. ``trained``: so far, in trials and confirmed runs.
    """
    in_trainings = [task for task in tasks if task.trainings is not None]
    stopping = [task for task in tasks if task.trainings is None]
    ended = sum(task.used for task in stopping)
    in_trials = trained - epochs * (confirmed + sum(task.used for task in in_trainings))
    a_trial = max(1.0, min(float(epochs), in_trials / max(ended, 1)))
    left = sum(task.budget for task in stopping) - ended
    return a_trial * left + epochs * (
        sum(max(0.0, task.budget - task.used) for task in in_trainings) + confirmations - confirmed
    )


class DirectoryProgress:
    """Reads the progress from a directory again and again; the time left is estimated from what was trained meanwhile.

    ``text``: the study file that is run in the directory; a directory of another study is taken for an empty one.
    """

    def __init__(self, plan: StudyPlan, text: str, directory: StoragePath) -> None:
        self._plan = plan
        self._text = text
        self._directory = directory
        self._begin = time.monotonic()
        self._epochs_before: int | None = None
        self._last: StudyProgress | None = None
        self._next_read = self._begin  # a large study takes seconds to read

    def __call__(self) -> StudyProgress | None:
        """The progress now; None where the directory does not hold the study, or cannot be seen from this machine."""
        begin = time.monotonic()
        if begin < self._next_read:
            return self._last
        try:
            if unsealed_text((self._directory / "study.toml").read_text(encoding="utf-8")) == self._text:
                self._last = self._timed(stored_progress(self._plan, self._directory))
        except (OSError, ValueError, StoreError):
            pass  # what is written at this moment, or a store that does not answer, is read at the next look
        end = time.monotonic()
        self._next_read = end + 5 * (end - begin)
        return self._last

    def _timed(self, now: StudyProgress) -> StudyProgress:
        if self._epochs_before is None:
            self._epochs_before = now.epochs
        seconds = time.monotonic() - self._begin
        trained = now.epochs - self._epochs_before
        left = epochs_left(
            now.tasks,
            epochs=self._plan.study.training.epochs,
            trained=now.epochs,
            confirmed=now.confirmed,
            confirmations=now.confirmations,
        )
        return replace(now, elapsed_s=seconds, left_s=left * seconds / trained if trained > 0 else None)


def _task_progress(plan: StudyPlan, task: Task, of: JournalProgress) -> TaskProgress:
    counts = of.counts
    in_epochs = has_model(plan.study.search, task)
    trainings = of.epochs / (plan.study.training.epochs * plan.study.search.seeds) if in_epochs else None
    return TaskProgress(
        task,
        counts.running,
        counts.complete,
        counts.pruned,
        counts.failed,
        None if counts.best is None else plan.study.metric.metric.value(counts.best),
        counts.paused,
        trainings,
        counts.added,
    )


def stored_progress(plan: StudyPlan, directory: StoragePath) -> StudyProgress:
    """How far the study in ``directory`` is, from its journal and its tables; nothing is written.

    Epochs of confirmed runs count when the run is stored. Times are those of the reader: 0 and None.
    """
    last = plan.study.training.epochs * plan.study.search.seeds
    by_task = read_progress(directory / "search.journal", last)
    tasks = []
    for task in plan.tasks:
        if task.name not in by_task:
            tasks.append(TaskProgress(task, 0, 0, 0, 0, None))
            continue
        tasks.append(_task_progress(plan, task, by_task[task.name]))
    results = Results(directory)
    final = results.final()
    newest = newest_looks(from_arrow("decisions", results.decisions()))
    searched = sum(progress.epochs for progress in by_task.values())
    # Confirmed runs keep their checkpoints, or lose them once they are stored.
    begun = sum(is_confirm_key(folder.name) for folder in (directory / "checkpoints").glob("*"))
    over = 0 if plan.study.resources.keep_networks == "none" else final.num_rows
    return StudyProgress(
        tasks=tuple(tasks),
        confirmed=final.num_rows,
        confirming=max(0, begun - over),
        confirmations=sum(1 for _ in of_first_seeds(plan, seeds_asked(plan, newest))),
        confirmations_at_most=sum(1 for _ in of_first_seeds(plan, seeds_at_most(plan, newest))),
        epochs=searched + sum(final["epochs"].to_pylist()),
        elapsed_s=0.0,
        left_s=None,
        metric=plan.study.metric.metric,
    )

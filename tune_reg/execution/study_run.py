"""The runs of a study: what each one trains, and the key that names it in the store and its checkpoints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tune_reg.execution.messages import RunStage
from tune_reg.search.trial import Trial
from tune_reg.storage.paths import StoragePath
from tune_reg.store import journal_keys
from tune_reg.store.journal_keys import search_key
from tune_reg.study import StudyPlan, Task
from tune_reg.training import Run, TrainingSet

#: Ends the key of a confirmed run while it is tested for robustness later.
_LATER_TESTS: Final = "-robustness"

#: The seeds of a search stand this far apart, out of reach of those of the confirmed runs.
_SEED_STEP: Final = 2**20

_OF_SEARCH: Final = re.compile(r"(.+)-trial-(\d{5,})(?:-seed-\d+)?")


@dataclass(frozen=True)
class StudyRun:
    """A run of a study: a trial of the search on one seed, or a winner trained anew on a fresh seed or tested later."""

    key: str
    stage: RunStage
    trial: Trial
    run: Run
    #: Which of the trainings of its trial this is, from 0; each has a seed of its own.
    training: int = 0

    @property
    def training_set(self) -> TrainingSet:
        """The part of the training images that the run sees."""
        return self.run.training_set

    @property
    def stored_key(self) -> str:
        """The key of the run in the store; a confirmed run keeps its key while it is tested later."""
        return self.key.removesuffix(_LATER_TESTS)


def search_run(plan: StudyPlan, trial: Trial, training: int) -> StudyRun:
    """One of the trainings of ``trial``."""
    run = _run(plan, trial, trial.task.training_set, search_seed(plan, trial, training))
    return StudyRun(training_key(trial, training), "search", trial, run, training)


def search_seed(plan: StudyPlan, trial: Trial, training: int) -> int:
    """The seed of one of the trainings of ``trial``."""
    return plan.study.seed + trial.seeds[training] * _SEED_STEP


def first_seed(plan: StudyPlan, seed: int) -> int:
    """Which of the search's seeds ``seed`` is, the seed of a trial's first training."""
    return (seed - plan.study.seed) // _SEED_STEP


def confirm_run(plan: StudyPlan, winner: Trial, training_set: TrainingSet, seed: int) -> StudyRun:
    """The run that trains a winner anew."""
    run = _run(plan, winner, training_set, seed)
    return StudyRun(confirm_key(winner, training_set, seed), "confirm", winner, run)


def robustness_run(plan: StudyPlan, winner: Trial, training_set: TrainingSet, seed: int) -> StudyRun:
    """The run that makes robustness tests on a confirmed run, from its checkpoint."""
    run = _run(plan, winner, training_set, seed)
    return StudyRun(f"{confirm_key(winner, training_set, seed)}{_LATER_TESTS}", "robustness", winner, run)


def trial_key(trial: Trial) -> str:
    """The key of a trial, which is that of its first training."""
    return journal_keys.trial_key(trial.task.name, trial.number)


def training_key(trial: Trial, training: int) -> str:
    """The key of one of the trainings of a trial."""
    return trial_key(trial) + (f"-seed-{training + 1}" if training else "")


class SearchKeys:
    """Which trial of the search a key is of: in the store, or of a folder of checkpoints."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = {search_key(task.name): task.name for task in tasks}

    def trial(self, key: str) -> tuple[str, int] | None:
        """The name of the task and the number of the trial; None for the key of another run."""
        match = _OF_SEARCH.fullmatch(key)
        task = match and self._tasks.get(match[1])
        return None if match is None or task is None else (task, int(match[2]))

    def is_unknown(self, key: str, known: Mapping[str, Collection[int]]) -> bool:
        """Whether a key is of a trial of the search whose number is not ``known``, by task."""
        trial = self.trial(key)
        return trial is not None and trial[1] not in known.get(trial[0], ())


def confirm_key(winner: Trial, training_set: TrainingSet, seed: int) -> str:
    """The key of the run that trains a winner anew."""
    task = winner.task
    head = f"{task.regularizer}-from-{_file_name(task.training_set)}-at-{_file_name(training_set)}"
    return f"{head}-trial-{winner.number:05d}-seed-{seed}"


def is_confirm_key(key: str) -> bool:
    """Whether a key is that of a confirmed run."""
    return "-from-" in key


def is_run_of(key: str, regularizer: str) -> bool:
    """Whether a key is that of a run of this method.

    >>> is_run_of("l1-at-1-trial-00000", "l1"), is_run_of("l1-from-1-at-1-trial-00000-seed-1", "l2")
    (True, False)
    """
    return key.startswith((f"{regularizer}-at-", f"{regularizer}-from-"))


def checkpoint_directory(directory: StoragePath, stored_key: str) -> StoragePath:
    """The folder in a results directory that keeps the checkpoints of a run."""
    return directory / "checkpoints" / stored_key


def _run(plan: StudyPlan, trial: Trial, training_set: TrainingSet, seed: int) -> Run:
    study = plan.study
    return Run(
        dataset=study.dataset,
        model=study.model,
        regularizer=trial.task.parts or trial.task.regularizer,
        params=trial.params,
        training=study.training,
        fraction=training_set.fraction,
        images_per_class=training_set.images_per_class,
        seed=seed,
        split_seed=study.seed,
        protocol=study.protocol,
        trainer=study.trainer,
        examples=study.examples or 0,
        metric=study.metric.metric,
    )


def _file_name(training_set: TrainingSet) -> str:
    return training_set.name.replace(" ", "-")

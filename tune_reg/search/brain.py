"""The brain: one Optuna journal is the only memory of the search.

Each task (a regularizer at a fraction) is one Optuna study in the journal, so that tasks have samplers, rungs and
budgets of their own. A trial in the journal is what really happened to it: COMPLETE with its final value, PRUNED
or FAIL with its intermediate values. What the sampler is told of it stands in ``fidelity``. Only one process writes
the journal at a time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Value
from tune_reg.places import Place
from tune_reg.search import fidelity, pruners, samplers
from tune_reg.search.journal import open_journal
from tune_reg.study import SearchSettings, Task

State = Literal["complete", "pruned", "diverged", "failed"]

_STATES: Final[dict[State, TrialState]] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
}
_REASON: Final = "reason"


@dataclass(frozen=True)
class Trial:
    """A configuration to train: number ``number`` of ``task``, with every hyperparameter of its space."""

    task: Task
    number: int
    params: dict[str, Value]


@dataclass(frozen=True)
class Counts:
    """How many trials of a task are in which state, and the best value so far."""

    running: int
    complete: int
    pruned: int
    failed: int
    best: float | None


class Brain:
    """Asks, prunes and remembers: ``ask() / report(trial, epoch, value) -> stop / tell(trial, state, value)``.

    Values are validation accuracies, to be maximized. A brain made anew on the same journal goes on where the
    last one stopped: trials that were running are asked again first, with their configurations. ``journal``: the
    file, or an Optuna storage. ``epochs``: of a trial that is not stopped. ``predict``: what the sampler is told
    of stopped trials; None: that they were stopped, and their values so far.
    """

    def __init__(
        self,
        journal: Place | BaseStorage,
        tasks: Sequence[Task],
        settings: SearchSettings,
        *,
        epochs: int,
        seed: int = 0,
        predict: fidelity.Predict | None = fidelity.predict,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.tasks = list(tasks)
        self._settings = settings
        self._seed = seed
        self._predict = predict
        self._pruner = pruners.build(settings, epochs=epochs)
        storage = journal if isinstance(journal, BaseStorage) else open_journal(journal)
        self._studies = {task.name: self._open(storage, task) for task in tasks}
        self._live: set[tuple[str, int]] = set()
        self._interrupted: list[tuple[Task, int]] = []
        self._asked: dict[str, int] = {}
        for task in tasks:
            trials = self._trials(task)
            self._asked[task.name] = len(trials)
            self._interrupted += [(task, t.number) for t in trials if t.state == TrialState.RUNNING]

    def ask(self) -> Trial | None:
        """The next configuration, or None where every task has used its budget."""
        if self._interrupted:
            task, number = self._interrupted.pop(0)
            return self._sample(task, self._studies[task.name].get_trials(deepcopy=False)[number])
        open_tasks = [task for task in self.tasks if self._asked[task.name] < self._budget(task)]
        if not open_tasks:
            return None
        task = min(open_tasks, key=lambda task: self._asked[task.name])
        trial = self._sample(task)
        self._asked[task.name] += 1
        return trial

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Take the validation accuracy after ``epoch`` (from 1); whether the trial should stop here.

        Reported again, an epoch changes nothing, and the answer is that of the first time, as far as other trials have
        not reported meanwhile.
        """
        assert _key(trial) in self._live
        study, frozen = self._studies[trial.task.name], self._frozen(trial)
        if epoch not in frozen.intermediate_values:
            study._storage.set_trial_intermediate_value(frozen._trial_id, epoch, value)
            frozen = self._frozen(trial)
        until_here = copy.copy(frozen)
        until_here.intermediate_values = {s: v for s, v in frozen.intermediate_values.items() if s <= epoch}
        return self._pruner.prune(study, until_here)

    def tell(self, trial: Trial, state: State, value: float | None = None, reason: str | None = None) -> None:
        """End a trial; ``value`` is its final accuracy and wanted in state "complete" alone."""
        self._live.remove(_key(trial))
        study, frozen = self._studies[trial.task.name], self._frozen(trial)
        # The trial may have been told before the process that told it was killed.
        if frozen.state.is_finished():
            return
        if reason is not None:
            study._storage.set_trial_user_attr(frozen._trial_id, _REASON, f"{state}: {reason}")
        if state == "diverged":
            study._storage.set_trial_user_attr(frozen._trial_id, fidelity.DIVERGED, True)
        study.tell(trial.number, value if state == "complete" else None, _STATES[state])

    def finished(self, task: Task) -> bool:
        """Whether every trial of the task has ended."""
        counts = self.counts(task)
        return counts.running == 0 and counts.complete + counts.pruned + counts.failed >= self._budget(task)

    def _budget(self, task: Task) -> int:
        """The trials of the task: those of the study, or those asked for when the search had stagnated."""
        patience = self._settings.patience
        trials = self._trials(task)
        if not patience or len(trials) >= task.trials:
            return task.trials
        best, since = -math.inf, 0
        for trial in trials:
            if not trial.state.is_finished():
                break  # it may still be better
            better = trial.state == TrialState.COMPLETE and _value(trial) > best
            best, since = (_value(trial), 0) if better else (best, since + 1)
            if since >= patience:
                return len(trials)
        return task.trials

    def winner(self, task: Task) -> Trial | None:
        """The complete trial of the highest value, the first of equals, or None where there is none."""
        complete = [t for t in self._trials(task) if t.state == TrialState.COMPLETE and t.value is not None]
        if not complete:
            return None
        return _trial(task, min(complete, key=lambda t: (-_value(t), t.number)))

    def counts(self, task: Task) -> Counts:
        """Where the task stands."""
        trials = self._trials(task)
        states = [t.state for t in trials]
        values = [_value(t) for t in trials if t.state == TrialState.COMPLETE]
        return Counts(
            running=states.count(TrialState.RUNNING),
            complete=states.count(TrialState.COMPLETE),
            pruned=states.count(TrialState.PRUNED),
            failed=states.count(TrialState.FAIL),
            best=max(values, default=None),
        )

    def _open(self, storage: BaseStorage, task: Task) -> optuna.Study:
        study = optuna.create_study(
            storage=storage,
            study_name=task.name,
            direction="maximize",
            # Never asked: each trial is sampled by a sampler of its own, see ``_sample``.
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=self._pruner,
            load_if_exists=True,
        )
        if self._settings.sampler != "grid":
            for values in task.space.start[: task.trials]:
                study.enqueue_trial(values, skip_if_exists=True)
        return study

    def _sample(self, task: Task, begun: FrozenTrial | None = None) -> Trial:
        """A new trial; or one that was begun, with what it still lacks if its process was killed while it asked."""
        study = self._studies[task.name]
        number = self._asked[task.name] if begun is None else begun.number
        sampler = samplers.build(self._settings.sampler, task, seed=self._seed, number=number)
        told = fidelity.ShownStudy(
            study,
            sampler,
            self._predict,
            limit=samplers.LIMITS.get(self._settings.sampler),
            again=begun.number if begun else None,
        )
        live = told.ask() if begun is None else optuna.Trial(told, begun._trial_id)
        trial = Trial(task, live.number, task.space.suggest(live))
        self._live.add(_key(trial))
        return trial

    def _trials(self, task: Task) -> list[FrozenTrial]:
        """The trials asked so far; starting points that wait their turn are none."""
        trials = self._studies[task.name].get_trials(deepcopy=False)
        return [t for t in trials if t.state != TrialState.WAITING]

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._studies[trial.task.name].get_trials(deepcopy=False)[trial.number]


def _key(trial: Trial) -> tuple[str, int]:
    return trial.task.name, trial.number


def _trial(task: Task, frozen: FrozenTrial) -> Trial:
    return Trial(task, frozen.number, task.space.suggest(optuna.trial.FixedTrial(frozen.params)))


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value

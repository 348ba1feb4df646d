"""Ask-and-tell search over Optuna studies: one journal is the only memory of the search.

Each task (a regularizer at a fraction) is one Optuna study in the journal, so that tasks have samplers, rungs and
budgets of their own. A trial in the journal is what really happened to it: COMPLETE with its final value, PRUNED
or FAIL with its intermediate values. What the sampler sees of it stands in ``imputed_study``. Only one process writes
the journal at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search import final_values, pruners, retries, samplers
from tune_reg.search.finished_trials import EPOCH_S, FinishedTrials
from tune_reg.search.imputed_study import DIVERGED, ImputedStudy
from tune_reg.search.journal import open_journal
from tune_reg.search.journal_repair import STATES, configuration, directions_of
from tune_reg.search.suggestion import hyperparameters, suggested
from tune_reg.search.trial import Trial, TrialCounts
from tune_reg.search.trial_statistics import TrialStatistics
from tune_reg.storage.paths import StoragePath
from tune_reg.store import RunState
from tune_reg.study import SearchSettings, Task

#: Finished trials that are looked at where a sampler sees a limited number: an ask must not slow down with the search.
_READ: Final = 500


class AskTell:
    """Asks, prunes and remembers: ``ask() / report(trial, epoch, value) -> stop / tell(trial, state, value)``.

    Values are validation accuracies, to be maximized. A search made anew on the journal of an earlier one goes on where
    the earlier one stopped: trials that were running are asked again first, with their configurations.

    ``journal``: the file, or an Optuna storage. ``epochs``: of a trial that is not stopped. ``predict``: predicts the
    final values with which the sampler sees stopped trials; None: it sees them as stopped, with their values so far.
    ``images``: validation images, which say how far apart two accuracies must be where there is a second objective.
    ``retry``: whether the failed trial of a number is tried again, as a new trial of the same configuration.
    ``stored``: the numbers of the trials that the tables hold, by task; others that are over in the journal were lost,
    and are asked again with their configurations. They stop where they stopped, and telling their end changes nothing.
    """

    def __init__(
        self,
        journal: StoragePath | BaseStorage,
        tasks: Sequence[Task],
        settings: SearchSettings,
        *,
        epochs: int,
        seed: int = 0,
        predict: final_values.Predictor | None = final_values.predict,
        images: int = 1,
        retry: Callable[[Task, int], bool] = lambda *_: False,
        stored: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        # Optuna warns of what it mends itself: a Gaussian process that could not be fitted, for example.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.tasks = list(tasks)
        self._settings = settings
        self._seed = seed
        second = settings.second_objective
        fewer = second is not None and second.kind == "epoch_time"
        self._directions = directions_of(settings)
        self._predict = predict
        self._pruner = pruners.build(settings, epochs=epochs)
        storage = journal if isinstance(journal, BaseStorage) else open_journal(journal)
        self._studies = {task.name: self._open(storage, task) for task in tasks}
        self._storage = storage
        self._running: dict[str, dict[int, FrozenTrial]] = {}  # by number, as they were asked
        self._waiting: dict[str, set[int]] = {}  # numbers of trials that are to be asked first
        self._interrupted: list[tuple[Task, FrozenTrial]] = []
        self._lost: dict[str, set[int]] = {}  # numbers of trials that are over and are trained once more
        self._statistics: dict[str, TrialStatistics] = {}
        self._finished: dict[str, FinishedTrials] = {}
        self._winners: dict[str, Trial] = {}
        self._retries: dict[str, dict[int, int]] = {}  # by number, that of the trial which is tried again
        for task in tasks:
            trials = self._studies[task.name].get_trials(deepcopy=False)
            for failed in retries.failed(trials):
                if retry(task, failed.number):
                    again = {retries.RETRIES: failed.number}
                    self._studies[task.name].enqueue_trial(failed.params, user_attrs=again)
            trials = self._studies[task.name].get_trials(deepcopy=False)
            self._retries[task.name] = retries.retried(trials)
            self._statistics[task.name] = TrialStatistics.of(trials, images=images, sign=-1 if fewer else 1)
            self._finished[task.name] = FinishedTrials(trials)
            self._running[task.name] = {t.number: t for t in trials if t.state == TrialState.RUNNING}
            self._waiting[task.name] = {t.number for t in trials if t.state == TrialState.WAITING}
            self._interrupted += [(task, t) for t in self._running[task.name].values()]
            held = None if stored is None else stored.get(task.name, ())
            lost = [] if held is None else [t for t in trials if t.state.is_finished() and t.number not in held]
            self._lost[task.name] = {t.number for t in lost}
            self._interrupted += [(task, t) for t in lost]

    def ask(self, wanted: Callable[[Task], bool] = lambda _: True) -> Trial | None:
        """The next configuration of a ``wanted`` task, or None where every such task has used its budget."""
        for i, (task, begun) in enumerate(self._interrupted):
            if wanted(task):
                del self._interrupted[i]
                return self._begun(task, begun)
        open_tasks = [t for t in self.tasks if wanted(t) and self._statistics[t.name].asked < self._budget(t)]
        if not open_tasks:
            return None
        task = min(open_tasks, key=lambda task: self._statistics[task.name].asked)
        trial = self._sample(task)
        self._statistics[task.name].begin()
        return trial

    def left(self) -> int:
        """How many more trials can be asked for, as far as can be said now."""
        unasked = sum(max(0, self._budget(task) - self._statistics[task.name].asked) for task in self.tasks)
        return len(self._interrupted) + unasked

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Take the validation accuracy after ``epoch`` (from 1); whether the trial should stop at this epoch.

        Reported again, an epoch changes nothing, and the answer is that of the first time, as far as other trials have
        not reported meanwhile.
        """
        frozen = self._frozen(trial)
        if frozen.state.is_finished():
            return frozen.state == TrialState.PRUNED and epoch >= max(frozen.intermediate_values, default=0)
        if epoch not in frozen.intermediate_values:
            self._storage.set_trial_intermediate_value(frozen._trial_id, epoch, value)
            frozen = self._frozen(trial)
        until_epoch = copy.copy(frozen)
        until_epoch.intermediate_values = {s: v for s, v in frozen.intermediate_values.items() if s <= epoch}
        return self._pruner.prune(self._studies[trial.task.name], until_epoch)

    def tell(
        self,
        trial: Trial,
        state: RunState,
        value: float | None = None,
        reason: str | None = None,
        *,
        second: float | None = None,
        epoch_s: float | None = None,
    ) -> None:
        """End a trial; ``value`` is its final accuracy and wanted in state "complete" alone.

        ``second``: of its second objective, where there is one. ``epoch_s``: the seconds that its shortest epoch
        took, which decide whether a slow sampler is asked.
        """
        frozen = self._frozen(trial)
        del self._running[trial.task.name][trial.number]
        self._lost[trial.task.name].discard(trial.number)
        # The trial may have been told before the process that told it was killed.
        if frozen.state.is_finished():
            return
        if reason is not None:
            self._storage.set_trial_user_attr(frozen._trial_id, retries.REASON, f"{state}: {reason}")
        if epoch_s is not None:
            self._storage.set_trial_user_attr(frozen._trial_id, EPOCH_S, epoch_s)
        if state == "diverged":
            self._storage.set_trial_user_attr(frozen._trial_id, DIVERGED, True)
        finals = [v for v in (value, second) if v is not None] if state == "complete" else []
        self._studies[trial.task.name].tell(trial.number, finals or None, STATES[state])
        self._statistics[trial.task.name].end(trial.number, STATES[state], *(finals or (None,)))
        self._finished[trial.task.name].add(self._storage.get_trial(frozen._trial_id))

    def finished(self, task: Task) -> bool:
        """Whether every trial of the task has ended."""
        statistics = self._statistics[task.name]
        return not self._lost[task.name] and statistics.running == 0 and statistics.asked >= self._budget(task)

    def _budget(self, task: Task) -> int:
        """The trials of the task: those of the study, or those asked for when the search had stagnated or stopped.

        Failed trials that are tried again come on top.
        """
        patience, statistics = self._settings.patience, self._statistics[task.name]
        whole = task.trials + statistics.retried
        stagnated = patience and statistics.longest_wait >= patience
        if stagnated:
            left = len(self._waiting[task.name] & self._retries[task.name].keys())
            return min(whole, statistics.asked + left)
        return min(whole, statistics.asked) if self._failing_alike(task) is not None else whole

    def stopped(self, task: Task) -> tuple[str, int] | None:
        """Why a search is over whose first trials all failed alike, and how many it has left; None for any other."""
        reason, left = self._failing_alike(task), task.trials - self._statistics[task.name].asked
        left += self._statistics[task.name].retried
        return None if reason is None or left <= 0 or not self.finished(task) else (reason, left)

    def _failing_alike(self, task: Task) -> str | None:
        counts = self.counts(task)
        if counts.failed < retries.ALIKE or counts.complete or counts.pruned:
            return None
        return retries.failing_alike(self._studies[task.name].get_trials(deepcopy=False))

    def winner(self, task: Task) -> Trial | None:
        """The complete trial that ``pick`` picks, or None where there is none."""
        number = self._statistics[task.name].winner
        if number is None:
            return None
        winner = self._winners.get(task.name)
        if winner is None or winner.number != number:
            frozen = self._studies[task.name].get_trials(deepcopy=False)[number]
            winner = Trial(task, number, hyperparameters(task, frozen))
            self._winners[task.name] = winner
        return winner

    def known(self) -> dict[str, set[int]]:
        """The numbers of the trials whose configurations are known, by task."""
        known = {}
        for task in self.tasks:
            trials = self._studies[task.name].get_trials(deepcopy=False)
            asked = (t for t in trials if t.state != TrialState.WAITING)
            known[task.name] = {t.number for t in asked if t.state.is_finished() or configuration(task, t) is not None}
        return known

    def stored_trial(self, task: Task, number: int) -> Trial | None:
        """A trial that is over, with its configuration."""
        trial = self._studies[task.name].get_trials(deepcopy=False)[number]
        params = configuration(task, trial)
        return None if params is None else Trial(task, number, params)

    def counts(self, task: Task) -> TrialCounts:
        """How many trials of the task are in which state."""
        return self._statistics[task.name].counts()

    def _open(self, storage: BaseStorage, task: Task) -> optuna.Study:
        study = optuna.create_study(
            storage=storage,
            study_name=task.name,
            directions=self._directions,
            # Never asked: each trial is sampled by a sampler built for it, see ``_sample``.
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=self._pruner,
            load_if_exists=True,
        )
        if self._settings.sampler != "grid":
            for values in task.space.start[: task.trials]:
                study.enqueue_trial(values, skip_if_exists=True)
        return study

    def _begun(self, task: Task, begun: FrozenTrial) -> Trial:
        """A trial of an earlier process, with its configuration."""
        params = configuration(task, begun)
        if params is None:
            return self._sample(task, begun)
        self._running[task.name][begun.number] = begun
        return Trial(task, begun.number, params, retries=self._retries[task.name].get(begun.number))

    def _sample(self, task: Task, begun: FrozenTrial | None = None) -> Trial:
        """A new trial; or one whose process was killed while it asked, which asks the same again."""
        study, running = self._studies[task.name], self._running[task.name]
        number = self._statistics[task.name].asked if begun is None else begun.number
        name = samplers.turn(self._settings, task, number, self._finished[task.name].epoch_s)
        sampler = samplers.build(name, task, seed=self._seed, number=number)
        limit = samplers.SAMPLERS[name].limit
        finished = self._finished[task.name].most_informative(None if limit is None else _READ)
        # A trial that is asked once more would be taken for another one that runs, as would one that was lost.
        others = [t for t in running.values() if t is not begun and not t.state.is_finished()]
        seen = ImputedStudy(
            study,
            sampler,
            sorted([*finished, *others], key=lambda t: t.number),
            self._predict,
            limit=limit,
            waiting=bool(self._waiting[task.name]),
        )
        if begun is None:
            live = seen.ask()
        elif name == "qmc":  # its place in the sequence is in the journal, and has moved on
            live = optuna.Trial(seen, begun._trial_id)
        else:
            live = _asking_anew(seen, begun)
        trial = replace(suggested(task, live), retries=self._retries[task.name].get(live.number))
        self._waiting[task.name].discard(live.number)
        running[live.number] = self._storage.get_trial(live._trial_id)
        return trial

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._storage.get_trial(self._running[trial.task.name][trial.number]._trial_id)


def _asking_anew(study: optuna.Study, begun: FrozenTrial) -> optuna.Trial:
    """A trial that forgets what it asked: a sampler whose first draws were left out would go on with other ones."""
    live = optuna.Trial(study, begun._trial_id)
    live._cached_frozen_trial.params, live._cached_frozen_trial.distributions = {}, {}
    return live

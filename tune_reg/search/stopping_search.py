"""A search by one of Optuna's samplers, with a stopping rule that ends trials for good."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, final

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search_spaces import Value
from tune_reg.search import final_values, pruners, retries, samplers
from tune_reg.search.decision import Decision
from tune_reg.search.finished_trials import FinishedTrials
from tune_reg.search.imputed_study import ImputedStudy
from tune_reg.search.journal_repair import STATES, configuration
from tune_reg.search.suggestion import hyperparameters, suggested
from tune_reg.search.task_search import TaskSearch, decision_of_lost
from tune_reg.search.trial import SHARED_FROM, Trial, TrialCounts
from tune_reg.search.trial_statistics import TrialStatistics
from tune_reg.store import RunState
from tune_reg.study import SearchSettings, Task

#: Finished trials that are looked at where a sampler sees a limited number: an ask must not slow down with the search.
_READ: Final = 500


@final
class StoppingSearch(TaskSearch):
    """Samples ``task.trials`` configurations, and ends for good those that the stopping rule gives up.

    What the sampler sees of a trial stands in ``imputed_study``. Trials of several seeds are reported with the mean of
    their final values so far, at the last step of each seed. ``epochs``, ``predict``, ``images``: see ``AskTell``.
    ``held``: the trials that the tables hold, where it is known.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: optuna.Study,
        task: Task,
        settings: SearchSettings,
        *,
        epochs: int,
        seed: int,
        predict: final_values.Predictor | None,
        images: int,
        held: Collection[int] | None = None,
    ) -> None:
        super().__init__(storage, study, task, held)
        self._settings = settings
        self._seed = seed
        self._predict = predict
        self._pruner = pruners.build(settings, epochs=epochs, images=images)
        if settings.sampler != "grid":
            for values in task.space.start[: task.trials]:
                study.enqueue_trial(values, skip_if_exists=True)
        trials = study.get_trials(deepcopy=False)
        fewer = StudyDirection.MINIMIZE in study.directions
        self._statistics = TrialStatistics.of(trials, images=images, sign=-1 if fewer else 1)
        self._ended = FinishedTrials(trials)
        self._running = {t.number: t for t in trials if t.state == TrialState.RUNNING}  # as they were asked
        self._waiting = {t.number for t in trials if t.state == TrialState.WAITING}  # to be asked first
        self._retries = retries.retried(trials)  # by number, that of the trial which is tried again
        self._shared_from = {t.number: t.user_attrs[SHARED_FROM] for t in trials if SHARED_FROM in t.user_attrs}
        self._interrupted = [*self._running.values(), *(t for t in trials if t.number in self._lost)]
        self._winner: Trial | None = None

    @property
    def epoch_s(self) -> float | None:
        """The seconds that an epoch takes."""
        return self._ended.epoch_s

    @property
    def begun(self) -> float:
        """The trials that were asked for."""
        return self._statistics.asked

    def ask(self) -> Trial | None:
        """A trial that an earlier process was training, else a new one while the budget lasts."""
        if self._interrupted:
            return self._begun(self._interrupted.pop(0))
        if self._statistics.asked >= self._budget():
            return None
        trial = self._sample()
        self._statistics.begin()
        return trial

    def has_interrupted(self) -> bool:
        """Whether trials that an earlier process was training are to be asked for first."""
        return bool(self._interrupted)

    def left(self) -> int:
        """How many trials can be asked for, as far as can be said now."""
        return len(self._interrupted) + max(0, self._budget() - self._statistics.asked)

    def report(self, trial: Trial, step: int, value: float) -> Decision:
        """Take a value, and ask the stopping rule at this step."""
        frozen = self._frozen(trial)
        if frozen.state.is_finished():
            return decision_of_lost(frozen, step)
        if step not in frozen.intermediate_values:
            self._storage.set_trial_intermediate_value(frozen._trial_id, step, value)
            frozen = self._frozen(trial)
        if SHARED_FROM in frozen.user_attrs:
            return Decision.CONTINUE
        until_step = copy.copy(frozen)
        until_step.intermediate_values = {s: v for s, v in frozen.intermediate_values.items() if s <= step}
        return Decision.STOP if self._pruner.prune(self._study, until_step) else Decision.CONTINUE

    def tell(
        self, trial: Trial, state: RunState, values: Sequence[float], reason: str | None, epoch_s: float | None
    ) -> None:
        """End a trial; ``epoch_s`` decides whether a slow sampler is asked."""
        frozen = self._frozen(trial)
        del self._running[trial.number]
        self._lost.discard(trial.number)
        # The trial may have been told before the process that told it was killed.
        if frozen.state.is_finished():
            return
        self._write_end(frozen, state, values, reason, epoch_s)
        self._statistics.end(trial.number, STATES[state], *(values or (None,)))
        self._ended.add(self._storage.get_trial(frozen._trial_id))

    @property
    def finished(self) -> bool:
        """Whether every trial of the budget has ended."""
        return not self._lost and self._statistics.running == 0 and self._statistics.asked >= self._budget()

    def winner(self) -> Trial | None:
        """The complete trial that ``pick`` picks, or None where there is none."""
        number = self._statistics.winner
        if number is None:
            return None
        if self._winner is None or self._winner.number != number:
            frozen = self._study.get_trials(deepcopy=False)[number]
            self._winner = self._trial(Trial(self._task, number, hyperparameters(self._task, frozen)))
        return self._winner

    def counts(self) -> TrialCounts:
        """How many trials are in which state, and the best value so far."""
        return self._statistics.counts()

    def _budget(self) -> int:
        """The trials of the task, or those asked for when the search had stagnated or stopped.

        Failed trials that are tried again come on top, and those at shared values.
        """
        patience, statistics = self._settings.patience, self._statistics
        stagnated = patience and statistics.longest_wait >= patience
        whole = max(1, math.floor(self._task.trials * self.share)) + statistics.retried + statistics.added
        if stagnated:
            return min(whole, statistics.asked + len(self._waiting & (self._retries.keys() | self._shared_from.keys())))
        return min(whole, statistics.asked) if self.failing_alike() is not None else whole

    def failing_alike(self) -> str | None:
        """The reason for which the first trials to end all failed, where no trial came to a value; else None."""
        counts = self.counts()
        if counts.failed < retries.ALIKE or counts.complete or counts.pruned:
            return None
        return retries.failing_alike(self._study.get_trials(deepcopy=False))

    @property
    def trials_left(self) -> int:
        """How many trials of the study's number were not asked for."""
        return self._task.trials + self._statistics.retried + self._statistics.added - self._statistics.asked

    def add_trial(self, params: Mapping[str, Value], attributes: Mapping[str, Any]) -> None:
        """Have a configuration asked for that is not the search's own; it is trained to the end."""
        super().add_trial(params, attributes)
        number = len(self.trials) - 1
        self._waiting.add(number)
        self._shared_from[number] = attributes[SHARED_FROM]
        self._statistics.added += 1

    def stored_trial(self, number: int) -> Trial | None:
        """A trial that is over; None where its configuration is not known."""
        params = configuration(self._task, self._study.get_trials(deepcopy=False)[number])
        return None if params is None else self._trial(Trial(self._task, number, params))

    def _begun(self, begun: FrozenTrial) -> Trial:
        """A trial of an earlier process, with its configuration."""
        params = configuration(self._task, begun)
        if params is None:
            return self._sample(begun)
        self._running[begun.number] = begun
        return self._trial(Trial(self._task, begun.number, params))

    def _sample(self, begun: FrozenTrial | None = None) -> Trial:
        """A new trial; or one whose process was killed while it asked, which asks the same again."""
        task = self._task
        number = self._statistics.asked if begun is None else begun.number
        name = samplers.turn(self._settings, task, number, self._ended.epoch_s)
        sampler = samplers.build(name, task, seed=self._seed, number=number)
        limit = samplers.SAMPLERS[name].limit
        finished = self._ended.most_informative(None if limit is None else _READ)
        # A trial that is asked once more would be taken for another one that runs, as would one that was lost.
        others = [t for t in self._running.values() if t is not begun and not t.state.is_finished()]
        seen = ImputedStudy(
            self._study,
            sampler,
            sorted([*finished, *others], key=lambda t: t.number),
            self._predict,
            limit=limit,
            waiting=bool(self._waiting),
        )
        if begun is None:
            live = seen.ask()
        elif name == "qmc":  # its place in the sequence is in the journal, and has moved on
            live = optuna.Trial(seen, begun._trial_id)
        else:
            live = _asking_anew(seen, begun)
        trial = suggested(task, live)
        self._waiting.discard(live.number)
        self._running[live.number] = self._storage.get_trial(live._trial_id)
        return self._trial(trial)

    def _trial(self, trial: Trial) -> Trial:
        """With the seeds of its trainings, the trial that it tries again, and the method whose values it has."""
        seeds = tuple(range(self._settings.seeds))
        shared = self._shared_from.get(trial.number)
        return replace(trial, seeds=seeds, retries=self._retries.get(trial.number), shared_from=shared)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._storage.get_trial(self._running[trial.number]._trial_id)


def _asking_anew(study: optuna.Study, begun: FrozenTrial) -> optuna.Trial:
    """A trial that forgets what it asked: a sampler whose first draws were left out would go on with other ones."""
    live = optuna.Trial(study, begun._trial_id)
    live._cached_frozen_trial.params, live._cached_frozen_trial.distributions = {}, {}
    return live

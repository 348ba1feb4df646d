"""Ask-and-tell search over Optuna studies: one journal is the only memory of the search.

Each task (a regularizer at a fraction) is one Optuna study in the journal, so that tasks have samplers, rungs and
budgets of their own. A trial in the journal is what really happened to it: COMPLETE with its final value, PRUNED
or FAIL with its intermediate values, RUNNING while it trains or is paused. Only one process writes the journal at a
time. How a task is searched is decided in ``ModelSearch``, the default, or ``StoppingSearch``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from tune_reg.search import final_values
from tune_reg.search.decision import Decision
from tune_reg.search.journal import open_journal
from tune_reg.search.journal_repair import configuration, directions_of
from tune_reg.search.model_search import ModelSearch
from tune_reg.search.retries import enqueue_retries
from tune_reg.search.shared_values import SharedValues
from tune_reg.search.stopping_search import StoppingSearch
from tune_reg.search.task_search import TaskSearch
from tune_reg.search.trial import ExpectedValue, Trial, TrialCounts
from tune_reg.storage.paths import StoragePath
from tune_reg.store import ACCURACY, Metric, RunState
from tune_reg.study import SearchSettings, Task, budget_share, has_model


class AskTell:
    """Asks, pauses, prunes and remembers: ``ask() / report(trial, step, value) -> Decision / tell(trial, state)``.

    Values are those of the study's ``metric`` on the validation images. The journal and the searches hold its scores,
    of which larger ones are better, so that no sampler and no rule asks which way is better. A search made anew on the
    journal of an earlier one goes on where the earlier one stopped: trials that were running are asked again first,
    with their configurations.

    ``journal``: the file, or an Optuna storage. ``epochs``: of all trainings of a trial that is not stopped.
    ``validate_every``: as in ``TrainingSettings``; other epochs are not reported. ``predict``: predicts the final
    values with which a sampler of Optuna's sees stopped trials; None: it sees them as stopped, with their values so
    far. ``images``: validation images, which say how far apart two accuracies must be where there is a second
    objective. ``retry``: whether the failed trial of a number is tried again, as a new trial of the same configuration.
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
        metric: Metric = ACCURACY,
        validate_every: int = 1,
        seed: int = 0,
        predict: final_values.Predictor | None = final_values.predict,
        images: int = 1,
        retry: Callable[[Task, int], bool] = lambda *_: False,
        stored: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        # Optuna warns of what it mends itself: a Gaussian process that could not be fitted, for example.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.tasks = list(tasks)
        self._metric = metric
        self._in_seconds = settings.budget == "seconds"
        storage = journal if isinstance(journal, BaseStorage) else open_journal(journal)
        self._searches: dict[str, TaskSearch] = {}
        self._studies: dict[str, optuna.Study] = {}
        for task in tasks:
            study = optuna.create_study(
                storage=storage,
                study_name=task.name,
                directions=directions_of(settings),
                # Never asked: each trial is sampled by a sampler built for it.
                sampler=optuna.samplers.RandomSampler(seed=0),
                load_if_exists=True,
            )
            self._studies[task.name] = study
            enqueue_retries(study, functools.partial(retry, task))
            held = None if stored is None else stored.get(task.name, ())
            if has_model(settings, task):
                self._searches[task.name] = ModelSearch(
                    storage,
                    study,
                    task,
                    settings,
                    epochs=epochs // settings.seeds,
                    shares=metric.is_accuracy,
                    validate_every=validate_every,
                    seed=seed,
                    held=held,
                )
            else:
                self._searches[task.name] = StoppingSearch(
                    storage, study, task, settings, epochs=epochs, seed=seed, predict=predict, images=images, held=held
                )
            self._searches[task.name].share = budget_share(task, tasks)
        self._shared = SharedValues(settings, tasks, self._searches)
        self._share_out()
        self._add_beside_budget()

    def ask(self, wanted: Callable[[Task], bool] = lambda _: True) -> Trial | None:
        """The next trial of a ``wanted`` task to train, new or going on; None where there is none now."""
        self._share_out()
        searches = [self._searches[task.name] for task in self.tasks if wanted(task)]
        for search in searches:
            if search.has_interrupted():
                return search.ask()
        # Every task has had its share before another one goes ahead; an ask may show that a task has nothing to do.
        for search in sorted(searches, key=lambda search: search.begun / search.share):
            trial = search.ask()
            if trial is not None:
                return trial
        return None

    def left(self) -> int:
        """How many more trials can be asked for, as far as can be said now."""
        return sum(search.left() for search in self._searches.values())

    def report(self, trial: Trial, step: int, value: float) -> Decision:
        """Take the value of the metric after ``step``, and decide whether the trial goes on.

        Steps count the epochs of all trainings of the trial, from 1. Where the trial is paused, ``ask`` may give it
        again. Reported again, a step changes nothing, and the answer is that of the first time, as far as other trials
        have not reported meanwhile.
        """
        return self._searches[trial.task.name].report(trial, step, self._metric.score(value))

    def last_step(self, trial: Trial) -> int:
        """The newest step that was reported of a trial that the model's search asked for; 0 before the first."""
        return self._searches[trial.task.name].last_step(trial)

    def decides_at(self, trial: Trial, step: int) -> bool:
        """Whether a trial may be paused when this step is reported."""
        return self._searches[trial.task.name].decides_at(trial, step)

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
        """End a trial; ``value`` is its final one and wanted in state "complete" alone.

        ``second``: of its second objective, where there is one. ``epoch_s``: the seconds that its shortest epoch took.
        """
        score = None if value is None else self._metric.score(value)
        finals = [v for v in (score, second) if v is not None] if state == "complete" else []
        self._searches[trial.task.name].tell(trial, state, finals, reason, epoch_s)
        self._add_beside_budget()

    def _add_beside_budget(self) -> None:
        """Add what is tried once a search is over: the best of its space, and then values of the others' winners."""
        for search in self._searches.values():
            search.add_best_of_space()
        self._shared.add()

    def over(self) -> list[Trial]:
        """Paused trials that never go on: they are to be told, as complete or pruned."""
        return [trial for search in self._searches.values() for trial in search.over()]

    def by_model(self, task: Task) -> bool:
        """Whether the model of final values searches the task; else a sampler and a stopping rule do."""
        return isinstance(self._searches[task.name], ModelSearch)

    def _share_out(self) -> None:
        """Where budgets are of seconds, give each task the share that the time of its epochs leaves it, once known."""
        if not self._in_seconds:
            return
        for training_set in {task.training_set for task in self.tasks}:
            searches = [self._searches[task.name] for task in self.tasks if task.training_set == training_set]
            seconds = [search.epoch_s for search in searches]
            timed = [s for s in seconds if s]
            if len(timed) == len(seconds):
                for search, own in zip(searches, timed, strict=True):
                    search.share = min(timed) / own

    def trainings(self, task: Task) -> float | None:
        """Where the model searches, what was begun of the task's budget, in whole trainings of ``task.trials``."""
        return self._searches[task.name].begun if self.by_model(task) else None

    def finished(self, task: Task) -> bool:
        """Whether every trial of the task has ended, those beside the budget included."""
        return self._searches[task.name].finished and not self._shared.waits(task)

    def winner(self, task: Task) -> Trial | None:
        """The trial that is picked: of the highest expected value, or that which ``store.pick`` picks."""
        return self._searches[task.name].winner()

    def stopped(self, task: Task) -> tuple[str, int] | None:
        """Why a search is over whose first trials all failed alike, and how many it has left; None for any other."""
        search = self._searches[task.name]
        reason = search.failing_alike()
        left = search.trials_left if reason is not None and search.finished else 0
        return (reason, left) if reason is not None and left > 0 else None

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
        return self._searches[task.name].stored_trial(number)

    def expected(self, task: Task) -> list[ExpectedValue]:
        """What the model of final values expects of the task's trials; empty where there is none."""
        value = self._metric.value
        return [each._replace(mean=value(each.mean)) for each in self._searches[task.name].expected()]

    def counts(self, task: Task) -> TrialCounts:
        """How many trials of the task are in which state."""
        counts = self._searches[task.name].counts()
        return counts if counts.best is None else replace(counts, best=self._metric.value(counts.best))

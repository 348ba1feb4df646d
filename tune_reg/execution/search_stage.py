"""The search: trials, each trained on one seed after the other and judged by the mean of its validation values."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tune_reg.execution.messages import Completed, Outcome, Pruned
from tune_reg.execution.recorder import Recorder, TrialScore, reason_of
from tune_reg.execution.stage import Stage, Wanted
from tune_reg.execution.study_run import StudyRun, checkpoint_directory, search_run, training_key, trial_key
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.trial import Trial
from tune_reg.storage.paths import StoragePath
from tune_reg.store import EpochValues, Metric, TrialRow, second_value
from tune_reg.study import StudyPlan
from tune_reg.training import checkpoint as checkpoints
from tune_reg.training.epoch_row import has_diverged

#: The files of this many trials, and of each search that is over, are joined in one.
_COMPACT_AFTER: Final = 500


@dataclass
class _SeedScores:
    """What the finished trainings of a trial came to, in the metric of the study."""

    metric: Metric
    values: list[float] = field(default_factory=list)
    robust: list[float] = field(default_factory=list)
    epochs: int = 0
    wall_s: float = 0.0
    #: Of the first training.
    shortest_epoch_s: float | None = None

    def add(self, rows: Sequence[EpochValues], *, with_value: bool) -> None:
        """Count the epochs of one more training and, ``with_value``, its last validation value."""
        if self.epochs == 0:
            self.shortest_epoch_s = _shortest_epoch_s(rows)
        self.epochs += len(rows)
        self.wall_s += sum(row["wall_s"] for row in rows)
        if with_value:
            self.values.append(self.metric.of_epoch(rows[-1]))

    @property
    def mean_value(self) -> float:
        """The mean of the validation values, of which there must be one."""
        return sum(self.values) / len(self.values)

    def score(self) -> TrialScore:
        """What is written down of the trial."""
        robust = sum(self.robust) / len(self.robust) if self.robust else None
        value = self.mean_value if self.values else None
        return TrialScore(value, robust, len(self.values), self.epochs, self.wall_s)


class SearchStage(Stage):
    """Asks the search for trials, and tells it what became of them once their rows are stored."""

    def __init__(self, plan: StudyPlan, search: AskTell, recorder: Recorder, directory: StoragePath) -> None:
        self._plan = plan
        self._metric = plan.study.metric.metric
        self._search = search
        self._recorder = recorder
        self._directory = directory
        self._scores: dict[str, _SeedScores] = {}  # by the key of the trial
        self._next_trainings: list[StudyRun] = []  # of trials that go on with another seed
        self._without_epochs = self._lost_epochs()
        #: How many epochs runs train whose trials are stored, but whose epochs were lost, by key.
        self._epochs_again = {run.key: epochs for run, epochs in self._without_epochs}
        self._ended = 0
        self._with_expected: set[str] = set()  # names of tasks
        # What a killed process left to do.
        self._end_those_over()
        self._write_expected_of_finished()

    def next_run(self, wanted: Wanted | None) -> StudyRun | None:
        """The next seed of a trial that goes on, else what the search asks for."""
        fits = wanted or (lambda *_: True)
        for i, (run, _) in enumerate(self._without_epochs):
            if fits(run.trial.task, run.trial.task.training_set):
                del self._without_epochs[i]
                return run
        for i, run in enumerate(self._next_trainings):
            if fits(run.trial.task, run.trial.task.training_set):
                return self._next_trainings.pop(i)
        while True:
            trial = self._search.ask(lambda task: fits(task, task.training_set))
            if trial is None:
                return None
            row = self._recorder.trial_row(trial)
            if row is None and trial.refused is not None:
                row = self._recorder.write_untrained(search_run(self._plan, trial, 0), *trial.refused)
            if row is not None:
                self._tell_stored(trial, row)
            elif self._search.by_model(trial.task):
                self._scores.setdefault(trial_key(trial), self._stored_scores(trial))
                return search_run(self._plan, trial, trial.training)
            else:
                return search_run(self._plan, trial, self._seeds_done(trial))

    def rows_so_far(self, run: StudyRun) -> Sequence[EpochValues]:
        """The epochs of a run that was paused, as far as the search has heard of them."""
        if not self._search.by_model(run.trial.task):
            return ()
        heard = self._search.last_step(run.trial)
        return [row for row in self._recorder.epoch_rows(run.key) or () if self._step(run, row["epoch"]) <= heard]

    def take_epoch(self, run: StudyRun, rows: Sequence[EpochValues]) -> Decision:
        """Report an epoch. Where no model searches, trainings after the first are compared when they end."""
        row = rows[-1]
        if run.key in self._epochs_again:
            return Decision.STOP if row["epoch"] >= self._epochs_again[run.key] else Decision.CONTINUE
        by_model = self._search.by_model(run.trial.task)
        value = self._metric.of_epoch(row)
        if not math.isfinite(value) or (run.training > 0 and not by_model):
            return Decision.CONTINUE
        if by_model and run.training + 1 < len(run.trial.seeds) and row["epoch"] == self._plan.study.training.epochs:
            return Decision.CONTINUE  # told with its outcome, which may come later: until then the run is not over
        step = self._step(run, row["epoch"])
        if by_model and self._search.decides_at(run.trial, step):
            # Stored first: what is paused is not trained or told again by whoever goes on with the study.
            self._recorder.write_search_epochs(run, rows)
        return self._search.report(run.trial, step, value)

    def pause(self, run: StudyRun) -> None:
        """A run waits at a rung, with its checkpoint; ``take_epoch`` has stored its epochs."""
        del run
        self._end_those_over()

    def end(self, run: StudyRun, rows: Sequence[EpochValues], outcome: Outcome) -> None:
        """A trial is over, or has ended on one of its seeds and may go on with the next."""
        trial = run.trial
        robust = outcome.robust_accuracy if isinstance(outcome, Completed) else None
        self._recorder.write_search_epochs(run, rows, robust)
        if self._epochs_again.pop(run.key, None) is not None:
            self._remove_checkpoints(run.key)
            return
        scores = self._scores.setdefault(trial_key(trial), _SeedScores(self._metric))
        scores.add(rows, with_value=bool(rows) and outcome.state in ("complete", "pruned"))
        if robust is not None:
            scores.robust.append(robust)
        seeds, epochs = self._plan.study.search.seeds, self._plan.study.training.epochs
        if outcome.state == "complete" and seeds > 1:
            value = self._metric.of_epoch(rows[-1]) if self._search.by_model(trial.task) else scores.mean_value
            decision = self._search.report(trial, self._step(run, epochs), value)
            if run.training + 1 < seeds and decision is not Decision.STOP:
                if decision is Decision.CONTINUE:
                    self._next_trainings.append(search_run(self._plan, trial, run.training + 1))
                self._remove_checkpoints(run.key)
                self._end_those_over()
                return
            if decision is Decision.STOP:
                outcome = Pruned()
        self._end_trial(run, outcome, reason_of(outcome, rows))
        self._end_those_over()

    def startable(self) -> int:
        """How many runs could be started now."""
        return len(self._without_epochs) + len(self._next_trainings) + self._search.left()

    def waiting_seeds(self, task_name: str) -> int:
        """How many trials of a task wait for their next seed."""
        return sum(run.trial.task.name == task_name for run in self._next_trainings)

    @property
    def finished(self) -> bool:
        """Whether every trial of every task has ended."""
        return not (self._epochs_again or self._next_trainings) and all(
            self._search.finished(task) for task in self._plan.tasks
        )

    def _lost_epochs(self) -> list[tuple[StudyRun, int]]:
        """Runs of stored trials whose epochs were lost, each with how many epochs it trained."""
        runs = []
        for task in self._plan.tasks:
            for number in self._recorder.trial_numbers(task):
                lost = self._recorder.epochs_lost(Trial(task, number, {}))
                trial = self._search.stored_trial(task, number) if lost else None
                if trial is not None:
                    runs += [(search_run(self._plan, trial, training), epochs) for training, epochs in lost]
        return runs

    def _step(self, run: StudyRun, epoch: int) -> int:
        """An epoch of one training as a step of the trial."""
        return run.training * self._plan.study.training.epochs + epoch

    def _end_trial(self, run: StudyRun, outcome: Outcome, reason: str | None) -> None:
        """Write the row of a trial that is over, and then tell the search."""
        trial = run.trial
        scores = self._scores.pop(trial_key(trial))
        row = self._recorder.write_trial(run, outcome, reason, scores.score())
        self._tell(trial, row, scores.shortest_epoch_s)
        for training in range(run.training + 1):
            self._remove_checkpoints(training_key(trial, training))
        self._ended += 1
        if self._ended % _COMPACT_AFTER == 0 or self._search.finished(trial.task):
            self._recorder.compact_trials()
        self._write_expected_of_finished()

    def _end_those_over(self) -> None:
        """End paused trials that never go on, with what they have come to."""
        for trial in self._search.over():
            row = self._recorder.trial_row(trial)
            if row is not None:
                self._tell_stored(trial, row)
                continue
            scores = self._scores[trial_key(trial)] = self._stored_scores(trial)
            whole = bool(scores.values)
            paused = self._recorder.epoch_rows(training_key(trial, trial.training)) or []
            if len(paused) < self._plan.study.training.epochs:
                scores.add(paused, with_value=bool(paused) and not whole)
            run = search_run(self._plan, trial, trial.training)
            self._end_trial(run, Completed() if whole else Pruned(), None)

    def _stored_scores(self, trial: Trial) -> _SeedScores:
        """What the trainings of a trial before the one that goes on came to, from the store."""
        scores = _SeedScores(self._metric)
        for training in range(trial.training):
            rows = self._recorder.epoch_rows(training_key(trial, training))
            if rows is None or len(rows) < self._plan.study.training.epochs:
                break
            scores.add(rows, with_value=True)
        return scores

    def _write_expected_of_finished(self) -> None:
        """Write down what the model expects of every trial of the searches that are over."""
        for task in self._plan.tasks:
            if task.name not in self._with_expected and self._search.finished(task) and self._search.by_model(task):
                self._with_expected.add(task.name)
                self._recorder.write_expected(task, self._search.expected(task))

    def _seeds_done(self, trial: Trial) -> int:
        """How many seeds of an interrupted trial are stored; their scores are taken from the store."""
        scores = _SeedScores(self._metric)
        epochs = self._plan.study.training.epochs
        for training in range(self._plan.study.search.seeds - 1):
            key = training_key(trial, training)
            rows = self._recorder.epoch_rows(key)
            if rows is None or len(rows) < epochs or has_diverged(rows[-1]):
                break
            before = copy.deepcopy(scores)
            scores.add(rows, with_value=True)
            robust = self._recorder.robust_accuracy(key)
            scores.robust += [] if robust is None else [robust]
            if self._search.report(trial, (training + 1) * epochs, scores.mean_value) is Decision.STOP:
                # The trial was being stopped here: this seed is taken from its checkpoint, or trained again, so that
                # the trial ends with it.
                scores = before
                break
        self._scores[trial_key(trial)] = scores
        return len(scores.values)

    def _tell_stored(self, trial: Trial, row: TrialRow) -> None:
        """A trial is stored, but the process was killed before it told the search."""
        trainings = range(len(trial.seeds)) if self._search.by_model(trial.task) else range(1)
        epochs: list[EpochValues] = []
        for training in trainings:
            stored = self._recorder.epoch_rows(training_key(trial, training)) or []
            for epoch in stored:
                value = self._metric.of_epoch(epoch)
                if math.isfinite(value):
                    step = training * self._plan.study.training.epochs + epoch["epoch"]
                    self._search.report(trial, step, value)
            epochs += stored if training == 0 else []
        self._tell(trial, row, _shortest_epoch_s(epochs))
        for training in range(self._plan.study.search.seeds):
            self._remove_checkpoints(training_key(trial, training))
        self._write_expected_of_finished()

    def _tell(self, trial: Trial, row: TrialRow, epoch_s: float | None) -> None:
        """Tell the search what became of a trial, from its stored row."""
        objective = self._plan.study.search.second_objective
        second = None if objective is None else second_value(row, objective.kind)
        self._search.tell(trial, row["state"], row["value"], row["reason"], second=second, epoch_s=epoch_s)

    def _remove_checkpoints(self, key: str) -> None:
        if self._plan.study.resources.keep_networks != "all":
            checkpoints.remove(checkpoint_directory(self._directory, key))


def _shortest_epoch_s(rows: Sequence[EpochValues]) -> float | None:
    """Seconds of the shortest epoch: a first epoch, or one on a busy machine, may take many times as long."""
    return min((row["wall_s"] for row in rows), default=None)

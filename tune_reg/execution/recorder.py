"""Writes the rows of a study: which columns a run fills in which table, and under which key."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from search_spaces import entry_to_table
from tune_reg.decisions import Look
from tune_reg.execution.code_digests import CodeDigests, code_digests
from tune_reg.execution.messages import Diverged, Failed, Outcome
from tune_reg.execution.parameter_columns import parameter_columns
from tune_reg.execution.study_run import SearchKeys, StudyRun, first_seed, search_seed, training_key, trial_key
from tune_reg.search.trial import ExpectedValue, StoredTrial, Trial
from tune_reg.storage.paths import StoragePath
from tune_reg.store import (
    DecisionRow,
    EpochRow,
    EpochValues,
    ExpectedRow,
    FinalRow,
    FinalValues,
    Metric,
    Results,
    RobustnessRow,
    RobustnessValues,
    RunState,
    Store,
    TrialRow,
)
from tune_reg.store.journal_keys import search_key
from tune_reg.store.lost_parts import has_lost_epochs
from tune_reg.store.rows import from_arrow
from tune_reg.store.schema import RunColumns
from tune_reg.study import Study, StudyPlan, Task, has_model
from tune_reg.user_objects import without_digest

#: What the tables call the data that a trainer of the user's brings.
OWN_DATA: Final = "own data"

_SEED: Final = re.compile(r"(?<=-trial-\d{5})-seed-\d+$")
_NOT_TESTED: Final = FinalValues(
    n_train=None,
    n_test=None,
    train_accuracy=None,
    val_accuracy=None,
    test_accuracy=None,
    test_loss=None,
    test_ece=None,
    generalization_gap=None,
    max_over_epochs=None,
    mean_last_10pct=None,
    val_metric=None,
    test_metric=None,
    test_class_accuracy=None,
    test_class_images=None,
)


@dataclass(frozen=True)
class TrialScore:
    """What the seeds of a trial came to. ``value``: mean of the metric on validation images over ``seeds`` seeds."""

    value: float | None
    robust_accuracy: float | None
    seeds: int
    epochs: int
    wall_s: float


class Recorder:
    """Writes and reads the tables of one results directory, run by run."""

    def __init__(self, plan: StudyPlan, directory: StoragePath, code: CodeDigests | None = None) -> None:
        self._plan = plan
        self._directory = directory
        self._code = code or code_digests(plan.study)
        self._store = Store(directory, study_hash=plan.study.hash, parameters=parameter_columns(plan))
        self._keys = SearchKeys(plan.tasks)
        self._metric = plan.study.metric.metric
        self._tests = _digest(_tests_of(plan.study))

    # Trials of the search

    def write_search_epochs(
        self, run: StudyRun, rows: Sequence[EpochValues], robust_accuracy: float | None = None
    ) -> None:
        """Write the epochs of a trial on one seed; its accuracy under attack is kept with them."""
        metadata = {} if robust_accuracy is None else {"robust_accuracy": repr(robust_accuracy)}
        self._store.write("epochs", run.key, self._epoch_rows(run, rows), **metadata)

    def write_trial(self, run: StudyRun, outcome: Outcome, reason: str | None, score: TrialScore) -> TrialRow:
        """Write the row of a trial that is over, and give it back."""
        return self._write_trial(run, outcome.state, reason, score)

    def write_untrained(self, run: StudyRun, state: RunState, reason: str) -> TrialRow:
        """Write the row of a trial that ended before its training, and give it back."""
        return self._write_trial(run, state, reason, TrialScore(None, None, seeds=0, epochs=0, wall_s=0.0))

    def _write_trial(self, run: StudyRun, state: RunState, reason: str | None, score: TrialScore) -> TrialRow:
        ranges = run.trial.ranges
        row: TrialRow = {
            **self._run_columns(run),
            "fraction": run.run.fraction,
            "trial": run.trial.number,
            "params": run.trial.params,
            "ranges": None if ranges is None else {name: entry_to_table(domain) for name, domain in ranges.items()},
            "seed": search_seed(self._plan, run.trial, 0),
            "seeds": max(1, score.seeds),
            "state": state,
            "reason": reason,
            "value": score.value if state in ("complete", "pruned") else None,
            "robust_accuracy": score.robust_accuracy if state == "complete" else None,
            "n_val": self._plan.validation_images,
            "epochs_trained": score.epochs,
            "wall_s": score.wall_s,
            "retries": run.trial.retries,
            "shared_from": run.trial.shared_from,
            "picked_from": run.trial.picked_from,
            "code": self._code.of_method(run.trial.task.regularizer),
        }
        self._store.write("trials", trial_key(run.trial), [row])
        return row

    def trial_row(self, trial: Trial) -> TrialRow | None:
        """The row of a trial, or None where it is not stored."""
        key = trial_key(trial)
        return self._store.rows("trials", key)[0] if self._store.has("trials", key) else None

    def has_other_code(self, row: TrialRow | FinalRow) -> bool:
        """Whether the user's code has changed since a run; False where a run does not tell its code."""
        return row["code"] not in (None, self._code.of_method(row["regularizer"]))

    def failed_with_other_code(self) -> set[tuple[str, float, int | None, int]]:
        """The trials that failed and whose code has changed: regularizer, fraction, images a class, number."""
        rows = from_arrow("trials", Results(self._directory).trials())
        return {
            (row["regularizer"], row["fraction"], row["images_per_class"], row["trial"])
            for row in rows
            if row["state"] == "failed" and row["regularizer"] in self._code.regularizers and self.has_other_code(row)
        }

    def trial_rows(self) -> dict[str, dict[int, TrialRow]]:
        """The rows of all trials, by the name of their task and their number."""
        rows: dict[str, dict[int, TrialRow]] = {task.name: {} for task in self._plan.tasks}
        for key, row in self._store.trial_rows().items():
            trial = self._keys.trial(key)
            if trial is not None:
                rows[trial[0]][trial[1]] = row
        return rows

    def stored_trials(self, task_name: str) -> dict[int, StoredTrial]:
        """All that the tables know of the trials of a task that are over, by their number."""
        (task,) = [task for task in self._plan.tasks if task.name == task_name]
        curves = self._store.epoch_rows(trial_key(Trial(task, 0, {})).removesuffix("00000"))
        training = self._plan.study.training.epochs
        modelled = has_model(self._plan.study.search, task)
        stored = {}
        for number, row in self.trial_rows()[task_name].items():
            trial = Trial(task, number, {})
            trainings = [curves.get(training_key(trial, i), []) for i in range(self._plan.study.search.seeds)]
            values = (_all_values if modelled else _values_and_means)(trainings, training, self._metric)
            shortest = min((e["wall_s"] for e in trainings[0]), default=None)
            stored[number] = StoredTrial(row, values, shortest, first_seed(self._plan, row["seed"]))
        return stored

    def trial_numbers(self, task: Task) -> list[int]:
        """The numbers of the stored trials of a task."""
        trials = [self._keys.trial(key) for key in self._store.keys("trials")]
        return sorted(trial[1] for trial in trials if trial is not None and trial[0] == task.name)

    def epochs_lost(self, trial: Trial) -> list[tuple[int, int]]:
        """The seeds of a stored trial whose epochs are not all stored, each with how many epochs it trained."""
        facts = self._store.facts
        row = facts["trials"].get(trial_key(trial))
        if row is None or row.state == "failed":
            return []
        training, left, lost = self._plan.study.training.epochs, row.epochs or 0, []
        for training_index in range(self._plan.study.search.seeds):
            expected = min(training, left)
            left -= expected
            part = facts["epochs"].get(training_key(trial, training_index))
            if expected and (part is None or part.rows != expected):
                lost.append((training_index, expected))
        return lost

    def drop_unknown_epochs(self, known: Mapping[str, Collection[int]]) -> None:
        """Drop the epochs of trials of the search whose numbers, and so parameters, are not ``known``, by task."""
        for key in self._store.keys("epochs"):
            if self._keys.is_unknown(key, known):
                self._store.drop("epochs", key)

    def epoch_rows(self, key: str) -> list[EpochRow] | None:
        """The epochs of a run, or None where they are not stored."""
        return self._store.rows("epochs", key) if self._store.has("epochs", key) else None

    def robust_accuracy(self, key: str) -> float | None:
        """The accuracy under attack that is kept with the epochs of a trial on one seed."""
        text = self._store.metadata("epochs", key, "robust_accuracy")
        return None if text is None else float(text)

    def compact_trials(self) -> None:
        """Join the files of trials that have ended."""
        ended = self._store.uncompacted_keys("trials")
        if len(ended) < 2:
            return
        epochs = {key for key in self._store.uncompacted_keys("epochs") if _SEED.sub("", key) in ended}
        self._store.compact("epochs", epochs)
        self._store.compact("trials", ended)

    def write_expected(self, task: Task, expected: Sequence[ExpectedValue]) -> None:
        """Write what is expected of the trials of a search that is over; nothing where that is stored."""
        key = search_key(task.name)
        rows: list[ExpectedRow] = [
            {
                **self._task_columns(task),
                "fraction": task.fraction,
                "trial": number,
                "expected_value": mean,
                "expected_deviation": deviation,
            }
            for number, mean, deviation in expected
        ]
        if rows and not (self._store.has("expected", key) and self._store.rows("expected", key) == rows):
            self._store.write("expected", key, rows)

    # Confirmed runs

    def write_confirmed(
        self,
        run: StudyRun,
        rows: Sequence[EpochValues],
        outcome: Outcome,
        reason: str | None,
        final: FinalValues | None,
        robustness: Sequence[RobustnessValues],
    ) -> None:
        """Write the epochs, robustness tests and, last, the row of a confirmed run: this row says that it is done."""
        self._store.write("epochs", run.key, self._epoch_rows(run, rows))
        self.write_robustness(run, robustness)
        row: FinalRow = {
            **self._run_columns(run),
            "fraction": run.run.fraction,
            "search_fraction": run.trial.task.fraction,
            "trial": run.trial.number,
            "params": run.trial.params,
            "seed": run.run.seed,
            "state": outcome.state,
            "reason": reason,
            **(final or _NOT_TESTED),
            "epochs": len(rows),
            "wall_s": sum(row["wall_s"] for row in rows),
            "code": self._code.of_method(run.trial.task.regularizer),
        }
        self._store.write("final", run.key, [row])

    def test_value(self, key: str) -> float | None:
        """The metric on the test images of a confirmed run that is stored; None where it diverged or failed."""
        (row,) = self._store.rows("final", key)
        return self._metric.of_run(row) if row["state"] == "complete" else None

    def write_decisions(self, task: Task, looks: Sequence[Look]) -> None:
        """Write the looks so far at the winner of a search on the largest training set, if they are not stored."""
        key = search_key(task.name)
        largest = self._plan.training_sets[-1]
        rows: list[DecisionRow] = [
            {
                **self._task_columns(task),
                "images_per_class": largest.images_per_class,
                "fraction": largest.fraction,
                "search_fraction": task.fraction,
                "look": look.look,
                "n": look.n,
                "methods": len(self._plan.compared),
                "level": look.level,
                "estimate": _finite(look.estimate),
                "low": _finite(look.low),
                "high": _finite(look.high),
                "decision": look.decision,
                "measure": f"test_{self._metric.name}",
            }
            for look in looks
        ]
        if not rows:
            self._store.drop("decisions", key)
        elif not (self._store.has("decisions", key) and self._store.rows("decisions", key) == rows):
            self._store.write("decisions", key, rows)

    def write_robustness(self, run: StudyRun, values: Sequence[RobustnessValues]) -> None:
        """Write the robustness tests of a confirmed run, and which settings they were made with."""
        rows: list[RobustnessRow] = [
            {
                **self._run_columns(run),
                "fraction": run.run.fraction,
                "search_fraction": run.trial.task.fraction,
                "seed": run.run.seed,
                **test,
            }
            for test in values
        ]
        self._store.write("robustness", run.stored_key, rows, tests=self._tests)

    def failed_confirmed(self) -> dict[str, FinalRow]:
        """The rows of the confirmed runs that failed, by their keys."""
        rows = {key: self._store.rows("final", key)[0] for key in self.confirmed_keys()}
        return {key: row for key, row in rows.items() if row["state"] == "failed"}

    def confirmed_keys(self) -> set[str]:
        """The keys of the confirmed runs that are stored, with their epochs; others are made again."""
        facts = self._store.facts
        return {
            key
            for key in self._store.keys("final")
            if facts["final"][key].state == "failed" or not has_lost_epochs(facts, key)
        }

    def needs_no_tests(self, key: str) -> bool:
        """Whether a confirmed run has had the robustness tests of the study, or did not end well."""
        if self._store.has("robustness", key) and self._store.metadata("robustness", key, "tests") == self._tests:
            return True
        return self._store.rows("final", key)[0]["state"] != "complete"

    def drop_confirmed(self, key: str) -> None:
        """Remove a confirmed run from all tables; its row in ``final``, which says that it is done, goes last."""
        for table in ("epochs", "robustness", "final"):
            self._store.drop(table, key)

    def _epoch_rows(self, run: StudyRun, rows: Sequence[EpochValues]) -> list[EpochRow]:
        return [
            {
                **self._run_columns(run),
                "stage": "search" if run.stage == "search" else "confirm",
                "fraction": run.run.fraction,
                "search_fraction": run.trial.task.fraction,
                "trial": run.trial.number,
                "seed": run.run.seed,
                **row,
            }
            for row in rows
        ]

    def _run_columns(self, run: StudyRun) -> RunColumns:
        return {**self._task_columns(run.trial.task), "images_per_class": run.run.images_per_class}

    def _task_columns(self, task: Task) -> RunColumns:
        study = self._plan.study
        return {
            "study": study.name,
            "dataset": without_digest(study.dataset) or OWN_DATA,
            "model": without_digest(study.model or study.trainer),
            "protocol": study.protocol,
            "regularizer": task.regularizer,
            "images_per_class": task.images_per_class,
        }


def _all_values(trainings: Sequence[Sequence[EpochValues]], epochs: int, metric: Metric) -> dict[int, float]:
    """What a search by the model was told of a trial: the value of each epoch of its trainings, by step."""
    return {
        i * epochs + row["epoch"]: value
        for i, rows in enumerate(trainings)
        for row in rows
        if math.isfinite(value := metric.of_epoch(row))
    }


def _values_and_means(trainings: Sequence[Sequence[EpochValues]], epochs: int, metric: Metric) -> dict[int, float]:
    """What any other search was told of a trial: the epochs of its first training, and the mean after each one."""
    values = _all_values(trainings[:1], epochs, metric)
    finals: list[float] = []
    for i, rows in enumerate(trainings, start=1):
        if len(rows) < epochs or not math.isfinite(metric.of_epoch(rows[-1])):
            break
        finals.append(metric.of_epoch(rows[-1]))
        values[i * epochs] = sum(finals) / len(finals)
    return values


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def reason_of(outcome: Outcome, rows: Sequence[EpochValues]) -> str | None:
    """Why a run diverged or failed, in words; None for any other outcome."""
    if isinstance(outcome, Diverged):
        losses = [loss for loss in (rows[-1]["train_loss"], rows[-1]["val_loss"]) if loss is not None]
        what = "metric" if losses and all(map(math.isfinite, losses)) else "loss"
        return f"the {what} is not finite in epoch {rows[-1]['epoch']}"
    return outcome.reason if isinstance(outcome, Failed) else None


def _tests_of(study: Study) -> dict[str, Any]:
    """What the rows of the robustness tests depend on: the settings, and that AutoAttack has FAB, which came later."""
    settings: dict[str, Any] = study.to_plain()["robustness"]
    asked = study.robustness.autoattack_linf or study.robustness.autoattack_l2
    return {**settings, "fab": True} if asked else settings


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

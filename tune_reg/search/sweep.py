"""The sweep: what to train next, what became of it, and the order in which it is written down.

It joins the brain, which knows the search, and the store, which keeps the results. A finished run is in the store
before the brain is told, so that a process killed between the two loses nothing and repeats nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from tune_reg.search.brain import Brain, State, Trial
from tune_reg.store import Store
from tune_reg.study import Study, Task
from tune_reg.training import EpochRow, Run, TrainingSet
from tune_reg.training import checkpoint as checkpoints

Stage = Literal["search", "confirm"]


@dataclass(frozen=True)
class SweepRun:
    """A run of a study: a trial of the search, or a winner trained anew on a fresh seed."""

    key: str  # names its parts in the store and its checkpoints
    stage: Stage
    trial: Trial
    run: Run


@dataclass
class _Live:
    run: SweepRun
    rows: dict[int, EpochRow] = field(default_factory=dict)


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
class SweepProgress:
    """Where the sweep stands. Times are in seconds; ``left_s`` is None until one epoch is known."""

    tasks: tuple[TaskProgress, ...]
    confirmed: int
    confirming: int
    confirmations: int
    epochs: int
    elapsed_s: float
    left_s: float | None


class Sweep:
    """One study being run. Not thread-safe, but ``progress`` may be called from another thread."""

    def __init__(self, study: Study, directory: Path) -> None:
        self.study = study
        self.directory = directory
        self.store = Store(directory, study_hash=study.hash)
        self.tasks = study.tasks()
        self.brain = Brain(
            directory / "search.journal", self.tasks, study.search, epochs=study.training.epochs, seed=study.seed
        )
        self._live: dict[str, _Live] = {}
        self._confirmations = study.confirmations()
        self._confirmed = sum(self.store.has("final", _confirm_key(*entry)) for entry in self._confirmations)
        self._begin = time.monotonic()
        self._epochs = 0
        self._first_epoch: float | None = None  # when it was reported: the time before is Ray's start
        self._progress = self._snapshot()

    def next(self) -> SweepRun | None:
        """The next run to start, or None where none can start until a running one ends."""
        run = self._next_trial() or self._next_confirmation()
        if run is not None:
            self._live[run.key] = _Live(run)
            self._progress = self._snapshot()
        return run

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing is left to start."""
        return (
            not self._live
            and all(self.brain.finished(task) for task in self.tasks)
            and not any(self._open_confirmations())
        )

    def is_live(self, key: str) -> bool:
        """Whether the run was started and has not ended."""
        return key in self._live

    def on_epochs(self, key: str, rows: Sequence[EpochRow]) -> bool:
        """Take the rows of a run's newest epochs, known ones too; whether it is pruned, and thus over."""
        live = self._live[key]
        stop = False
        for row in rows:
            if row["epoch"] in live.rows:
                continue
            live.rows[row["epoch"]] = row
            self._epochs += 1
            if self._first_epoch is None:
                self._first_epoch = time.monotonic() - row["wall_s"]
            if live.run.stage == "search" and math.isfinite(row["val_accuracy"]):
                stop = self.brain.report(live.run.trial, row["epoch"], row["val_accuracy"])
        last = max(live.rows, default=0)
        if stop and last < self.study.training.epochs:
            self.end(key, "pruned")
            return True
        self._progress = self._snapshot()
        return False

    def end(
        self,
        key: str,
        state: State,
        *,
        reason: str | None = None,
        final: Mapping[str, Any] | None = None,
        robustness: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """A run is over: write its rows, then tell the brain. ``final`` and ``robustness``: of a confirmed run."""
        live = self._live.pop(key)
        run, rows = live.run, [live.rows[epoch] for epoch in sorted(live.rows)]
        if state == "diverged":
            reason = f"{reason} in epoch {rows[-1]['epoch']}"
        head = self._head(run)
        searched = {"search_fraction": run.trial.task.fraction}
        size = {"fraction": run.run.fraction, "images_per_class": run.run.images_per_class}
        at = {**size, "seed": run.run.seed}
        outcome = {"state": state, "reason": reason, "params": run.trial.params, "trial": run.trial.number}
        wall_s = sum(row["wall_s"] for row in rows)
        self.store.write(
            "epochs",
            key,
            [{**head, **searched, **at, "stage": run.stage, "trial": run.trial.number, **row} for row in rows],
        )
        if run.stage == "search":
            value = rows[-1]["val_accuracy"] if rows and state in ("complete", "pruned") else None
            self.store.write(
                "trials",
                key,
                [{**head, **at, **outcome, "value": value, "epochs_trained": len(rows), "wall_s": wall_s}],
            )
            self.brain.tell(run.trial, state, value, reason)
            checkpoints.remove(self.checkpoint_directory(key))
        else:
            self.store.write("robustness", key, [{**head, **searched, **at, **row} for row in robustness])
            # Last: this part says that the run is confirmed.
            self.store.write(
                "final",
                key,
                [{**head, **searched, **at, **outcome, **(final or {}), "epochs": len(rows), "wall_s": wall_s}],
            )
            self._confirmed += 1
        self._progress = self._snapshot()

    def checkpoint_directory(self, key: str) -> Path:
        """Where the checkpoints of a run are kept."""
        return self.directory / "checkpoints" / key

    def progress(self) -> SweepProgress:
        """Where the sweep stands, as of the last event."""
        return self._progress

    def _next_trial(self) -> SweepRun | None:
        while True:
            trial = self.brain.ask()
            if trial is None:
                return None
            key = _trial_key(trial)
            if not self.store.has("trials", key):
                return SweepRun(key, "search", trial, self._run(trial, trial.task.training_set, self.study.seed))
            # Stored, but the process was killed before it told the brain.
            row = pq.read_table(self.directory / "tables" / "trials" / f"{key}.parquet").to_pylist()[0]
            for epoch in pq.read_table(self.directory / "tables" / "epochs" / f"{key}.parquet").to_pylist():
                if math.isfinite(epoch["val_accuracy"]):
                    self.brain.report(trial, epoch["epoch"], epoch["val_accuracy"])
            self.brain.tell(trial, row["state"], row["value"], row["reason"])
            checkpoints.remove(self.checkpoint_directory(key))

    def _next_confirmation(self) -> SweepRun | None:
        for task, size, seed in self._open_confirmations():
            key = _confirm_key(task, size, seed)
            if key in self._live or not self.brain.finished(task):
                continue
            winner = self.brain.winner(task)
            assert winner is not None
            return SweepRun(key, "confirm", winner, self._run(winner, size, seed))
        return None

    def _open_confirmations(self) -> list[tuple[Task, TrainingSet, int]]:
        """Those not yet stored, less those of a task that ended without a winner."""
        lost = {t.name for t in self.tasks if self.brain.finished(t) and self.brain.winner(t) is None}
        return [
            entry
            for entry in self._confirmations
            if entry[0].name not in lost and not self.store.has("final", _confirm_key(*entry))
        ]

    def _run(self, trial: Trial, size: TrainingSet, seed: int) -> Run:
        study = self.study
        return Run(
            dataset=study.dataset,
            model=study.model,
            regularizer=trial.task.parts or trial.task.regularizer,
            params=trial.params,
            training=study.training,
            fraction=size.fraction,
            images_per_class=size.images_per_class,
            seed=seed,
            split_seed=study.seed,
            protocol=study.protocol,
        )

    def _head(self, run: SweepRun) -> dict[str, Any]:
        study = self.study
        return {
            "study": study.name,
            "dataset": study.dataset,
            "model": study.model,
            "protocol": study.protocol,
            "regularizer": run.trial.task.regularizer,
        }

    def _snapshot(self) -> SweepProgress:
        tasks = []
        for task in self.tasks:
            counts = self.brain.counts(task)
            running = sum(
                live.run.stage == "search" and live.run.trial.task.name == task.name for live in self._live.values()
            )
            tasks.append(TaskProgress(task, running, counts.complete, counts.pruned, counts.failed, counts.best))
        return SweepProgress(
            tasks=tuple(tasks),
            confirmed=self._confirmed,
            confirming=sum(live.run.stage == "confirm" for live in self._live.values()),
            confirmations=len(self._confirmations),
            epochs=self._epochs,
            elapsed_s=time.monotonic() - self._begin,
            left_s=self._time_left(tasks),
        )

    def _time_left(self, tasks: Sequence[TaskProgress]) -> float | None:
        """Epochs left, if trials go on taking as many as so far, times the time an epoch has taken so far."""
        if self._first_epoch is None:
            return None
        epochs = self.study.training.epochs
        ended = sum(task.done + task.pruned + task.failed for task in tasks)
        searched = self._epochs - self._confirmed * epochs
        epochs_a_trial = max(1.0, min(float(epochs), searched / max(ended, 1)))
        left = epochs_a_trial * (sum(task.task.trials for task in tasks) - ended)
        left += epochs * (len(self._confirmations) - self._confirmed)
        return left * (time.monotonic() - self._first_epoch) / self._epochs


def _trial_key(trial: Trial) -> str:
    return f"{trial.task.regularizer}-at-{_file_name(trial.task.training_set)}-trial-{trial.number:05d}"


def _confirm_key(task: Task, size: TrainingSet, seed: int) -> str:
    return f"{task.regularizer}-from-{_file_name(task.training_set)}-at-{_file_name(size)}-seed-{seed}"


def _file_name(size: TrainingSet) -> str:
    return size.name.replace(" ", "-")

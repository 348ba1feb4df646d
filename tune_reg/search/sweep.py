"""The sweep: what to train next, what became of it, and the order in which it is written down.

It joins the brain, which knows the search, and the store, which keeps the results. A finished run is in the store
before the brain is told, so that a process killed between the two loses nothing and repeats nothing.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from tune_reg.errors import TuneRegError
from tune_reg.places import Place
from tune_reg.search.brain import Brain, State, Trial
from tune_reg.search.progress import SweepProgress, TaskProgress, epochs_left
from tune_reg.store import EpochRow as StoredEpoch
from tune_reg.store import EpochValues, FinalRow, RobustnessRow, Store, TrialRow, second_value
from tune_reg.study import Study, Task
from tune_reg.training import Run, TrainingSet
from tune_reg.training import checkpoint as checkpoints

Stage = Literal["search", "confirm", "attack"]

#: Whether the runs of a task on a training set are wanted.
Fits = Callable[[Task, TrainingSet], bool]

#: The parts of so many trials, and of each search that is over, are put into one file.
_PACKED: Final = 500
_SEED: Final = re.compile(r"(?<=-trial-\d{5})-seed-\d+$")

#: Ends the key of a confirmed run that is attacked later.
_ATTACK: Final = "-attack"

#: The seeds of a search stand this far apart, out of reach of those of the confirmed runs.
_SEED_STEP: Final = 2**20


@dataclass(frozen=True)
class SweepRun:
    """A run of a study: a trial of the search on one seed, a winner trained anew on a fresh one, or attacked later."""

    key: str  # names its parts in the store and its checkpoints
    stage: Stage
    trial: Trial
    run: Run
    #: Which of the search's seeds it is.
    place: int = 0


@dataclass
class _Live:
    run: SweepRun
    rows: dict[int, EpochValues] = field(default_factory=dict)


@dataclass
class _Scored:
    """What the seeds of a trial that are done came to."""

    values: list[float] = field(default_factory=list)
    robust: list[float] = field(default_factory=list)
    epochs: int = 0
    wall_s: float = 0.0
    #: Of the first seed.
    shortest_epoch_s: float | None = None

    def add(self, rows: Sequence[Mapping[str, Any]], *, valued: bool) -> None:
        """Count the epochs of one more seed; ``valued``: and its last value."""
        if self.epochs == 0:
            self.shortest_epoch_s = _shortest(rows)
        self.epochs += len(rows)
        self.wall_s += sum(row["wall_s"] for row in rows)
        if valued:
            self.values.append(rows[-1]["val_accuracy"])

    @property
    def value(self) -> float | None:
        """The mean over seeds, None without a value."""
        return _mean(self.values)


class Sweep:
    """One study being run. Not thread-safe, but ``progress`` may be called from another thread.

    ``attacks_only``: nothing is searched or confirmed; confirmed runs get the robustness tests that they lack.
    """

    def __init__(self, study: Study, directory: Place, *, attacks_only: bool = False) -> None:
        self.study = study
        self.directory = directory
        self.store = Store(directory, study_hash=study.hash)
        self.tasks = study.tasks()
        self.brain = Brain(
            directory / "search.journal",
            self.tasks,
            study.search,
            epochs=study.training.epochs * study.search.seeds,
            seed=study.seed,
            images=study.validation_images,
        )
        self._attacks_only = attacks_only
        #: Why the study cannot go on, where the directory cannot be written or Ray has died.
        self.fatal: TuneRegError | KeyboardInterrupt | None = None
        #: Of runs whose process was ended, why.
        self.hung: dict[str, str] = {}
        self._live: dict[str, _Live] = {}
        self._scored: dict[str, _Scored] = {}  # by the key of the trial's first seed
        self._ended = 0
        self._next_seeds: list[SweepRun] = []  # of trials that stay in the race
        self._confirmations = study.confirmations()
        self._attacks = _digest(study.robustness.model_dump())
        self._stored = self.store.keys("final")
        #: Confirmed runs that need no robustness tests any more: they have had them, or cannot.
        self._attacked = {key for key in self._stored if self._needs_no_attack(key)}
        for task, size, seed in self._confirmations:
            self._drop_superseded(task, size, seed)
        self._begin = time.monotonic()
        self._epochs = 0
        self._first_epoch: float | None = None  # when it was reported: the time before is Ray's start
        self._progress = self._snapshot()

    def next(self, fits: Fits | None = None) -> SweepRun | None:
        """The next run to start, or None where none can start until a running one ends.

        ``fits``: only runs that train, and of which it is true.
        """
        run = None
        if not self._attacks_only:
            wanted = fits or (lambda *_: True)
            run = self._next_seed(wanted) or self._next_trial(wanted) or self._next_confirmation(wanted)
        if fits is None:
            run = run or self._next_attack()
        if run is not None:
            self._live[run.key] = _Live(run)
            self._progress = self._snapshot()
        return run

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing is left to start."""
        if self._live or self._next_seeds or any(self._open_attacks()):
            return False
        if self._attacks_only:
            return True
        return all(self.brain.finished(task) for task in self.tasks) and not any(self._open_confirmations())

    def open_runs(self) -> int:
        """How many runs are under way or could be started now."""
        ahead = 0
        if not self._attacks_only:
            confirmations = list(self._startable_confirmations())
            ahead = len(self._next_seeds) + self.brain.left() + len(confirmations)
        attacks = sum(run.key not in self._live for run in self._open_attacks())
        return len(self._live) + ahead + attacks

    def fail(self, error: TuneRegError | KeyboardInterrupt) -> None:
        """Take a fault for which the study cannot go on; the first one is told."""
        self.fatal = self.fatal or error

    def is_live(self, key: str) -> bool:
        """Whether the run was started and has not ended."""
        return key in self._live

    def on_epochs(self, key: str, rows: Sequence[EpochValues]) -> bool:
        """Take the rows of a run's newest epochs, known ones too; whether it is pruned, and thus over."""
        live = self._live[key]
        stop = False
        for row in rows:
            if stop:
                break  # an epoch that was trained although the decision to stop had been made, and was lost
            if row["epoch"] in live.rows:
                continue
            live.rows[row["epoch"]] = row
            self._epochs += 1
            if self._first_epoch is None:
                self._first_epoch = time.monotonic() - row["wall_s"]
            if live.run.stage == "search" and live.run.place == 0 and math.isfinite(row["val_accuracy"]):
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
        robust_accuracy: float | None = None,
    ) -> None:
        """A run is over: write its rows, then tell the brain. ``final`` and ``robustness``: of a confirmed run.

        ``robust_accuracy``: of a run of the search, where that is its second objective.
        """
        live = self._live.pop(key)
        rows = [live.rows[epoch] for epoch in sorted(live.rows)]
        if state == "diverged":
            reason = f"{reason} in epoch {rows[-1]['epoch']}"
        if live.run.stage == "search":
            self._end_search(live.run, rows, state, reason, robust_accuracy)
        else:
            self._end_confirmed(live.run, rows, state, reason, final, robustness)
        self._progress = self._snapshot()

    def _end_search(
        self, run: SweepRun, rows: list[EpochValues], state: State, reason: str | None, robust_accuracy: float | None
    ) -> None:
        """A trial is over, or has ended on one of its seeds and may go on with the next."""
        trial = run.trial
        robust = {} if robust_accuracy is None else {"robust_accuracy": repr(robust_accuracy)}
        self._write_epochs(run, rows, **robust)
        scored = self._scored.setdefault(_trial_key(trial), _Scored())
        scored.add(rows, valued=bool(rows) and state in ("complete", "pruned"))
        if robust_accuracy is not None:
            scored.robust.append(robust_accuracy)
        value = scored.value
        seeds = self.study.search.seeds
        if state == "complete" and run.place + 1 < seeds:
            assert value is not None
            if not self.brain.report(trial, (run.place + 1) * self.study.training.epochs, value):
                self._next_seeds.append(self._search_run(trial, run.place + 1))
                checkpoints.remove(self.checkpoint_directory(run.key))
                return
            state = "pruned"
        elif state == "complete" and seeds > 1:
            assert value is not None
            self.brain.report(trial, seeds * self.study.training.epochs, value)
        if state not in ("complete", "pruned"):
            value = None
        columns = {
            **self._head(run),
            "seed": self.study.seed,
            "seeds": max(1, len(scored.values)),
            **_outcome(run, state, reason),
            "value": value,
            "robust_accuracy": _mean(scored.robust) if state == "complete" else None,
            "n_val": self.study.validation_images,
            "epochs_trained": scored.epochs,
            "wall_s": scored.wall_s,
        }
        row = cast(TrialRow, columns)
        self.store.write("trials", _trial_key(trial), [row])
        self._tell(trial, row, scored.shortest_epoch_s)
        del self._scored[_trial_key(trial)]
        checkpoints.remove(self.checkpoint_directory(run.key))
        self._ended += 1
        if self._ended % _PACKED == 0 or self.brain.finished(trial.task):
            self._pack()

    def _pack(self) -> None:
        """Put the parts of trials that have ended together."""
        ended = self.store.uncompacted_keys("trials")
        if len(ended) < 2:
            return
        self.store.compact(
            "epochs", {key for key in self.store.uncompacted_keys("epochs") if _SEED.sub("", key) in ended}
        )
        self.store.compact("trials", ended)

    def _end_confirmed(
        self,
        run: SweepRun,
        rows: list[EpochValues],
        state: State,
        reason: str | None,
        final: Mapping[str, Any] | None,
        robustness: Sequence[Mapping[str, Any]],
    ) -> None:
        head = {
            **self._head(run),
            "search_fraction": run.trial.task.fraction,
            "seed": run.run.seed,
        }
        if run.stage == "attack" and state != "complete":
            # The confirmed run stays as it is; that its tests could not be made is told by their absence.
            self._attacked.add(_stored_key(run.key))
            return
        key = _stored_key(run.key)
        if run.stage == "confirm":
            self._write_epochs(run, rows)
        tested = [cast(RobustnessRow, {**head, **row}) for row in robustness]
        self.store.write("robustness", key, tested, tests=self._attacks)
        self._attacked.add(key)
        if run.stage == "attack":
            return
        # Last: this part says that the run is confirmed.
        wall_s = sum(row["wall_s"] for row in rows)
        outcome = _outcome(run, state, reason)
        columns = {**head, **outcome, **(final or {}), "epochs": len(rows), "wall_s": wall_s}
        self.store.write("final", key, [cast(FinalRow, columns)])
        self._stored.add(key)
        size = TrainingSet(run.run.fraction, run.run.images_per_class)
        self._drop_superseded(run.trial.task, size, run.run.seed)

    def _tell(self, trial: Trial, row: TrialRow, epoch_s: float | None) -> None:
        """Tell the brain what became of a trial, from its row."""
        objective = self.study.search.second_objective
        second = None if objective is None else second_value(row, objective.kind)
        self.brain.tell(trial, row["state"], row["value"], row["reason"], second=second, epoch_s=epoch_s)

    def _write_epochs(self, run: SweepRun, rows: list[EpochValues], **metadata: str) -> None:
        at = {"search_fraction": run.trial.task.fraction, "seed": run.run.seed}
        head = {**self._head(run), **at, "stage": run.stage, "trial": run.trial.number}
        self.store.write("epochs", run.key, [cast(StoredEpoch, {**head, **row}) for row in rows], **metadata)

    def checkpoint_directory(self, key: str) -> Place:
        """Where the checkpoints of a run are kept."""
        return self.directory / "checkpoints" / _stored_key(key)

    def progress(self) -> SweepProgress:
        """Where the sweep stands, as of the last event."""
        return self._progress

    def _next_seed(self, fits: Fits) -> SweepRun | None:
        for i, run in enumerate(self._next_seeds):
            if fits(run.trial.task, run.trial.task.training_set):
                return self._next_seeds.pop(i)
        return None

    def _next_trial(self, fits: Fits) -> SweepRun | None:
        while True:
            trial = self.brain.ask(lambda task: fits(task, task.training_set))
            if trial is None:
                return None
            key = _trial_key(trial)
            if not self.store.has("trials", key):
                return self._search_run(trial, self._seeds_done(trial))
            # Stored, but the process was killed before it told the brain.
            (row,) = self.store.rows("trials", key)
            epochs = self.store.rows("epochs", key) if self.store.has("epochs", key) else []
            for epoch in epochs:
                if math.isfinite(epoch["val_accuracy"]):
                    self.brain.report(trial, epoch["epoch"], epoch["val_accuracy"])
            self._tell(trial, row, _shortest(epochs))
            for place in range(self.study.search.seeds):
                checkpoints.remove(self.checkpoint_directory(_seed_key(trial, place)))

    def _seeds_done(self, trial: Trial) -> int:
        """How many seeds of an interrupted trial are stored; what they came to is taken from there."""
        scored = _Scored()
        epochs = self.study.training.epochs
        for place in range(self.study.search.seeds - 1):
            if not self.store.has("epochs", _seed_key(trial, place)):
                break
            rows = self.store.rows("epochs", _seed_key(trial, place))
            if len(rows) < epochs or not math.isfinite(rows[-1]["val_loss"]):
                break
            before = copy.deepcopy(scored)
            scored.add(rows, valued=True)
            robust = self.store.metadata("epochs", _seed_key(trial, place), "robust_accuracy")
            scored.robust += [] if robust is None else [float(robust)]
            assert scored.value is not None
            if self.brain.report(trial, (place + 1) * epochs, scored.value):
                # It was being stopped here: its last seed is taken from its checkpoint, or trained again, to end so.
                scored = before
                break
        self._scored[_trial_key(trial)] = scored
        return len(scored.values)

    def _search_run(self, trial: Trial, place: int) -> SweepRun:
        seed = self.study.seed + place * _SEED_STEP
        run = self._run(trial, trial.task.training_set, seed)
        return SweepRun(_seed_key(trial, place), "search", trial, run, place)

    def _next_confirmation(self, fits: Fits) -> SweepRun | None:
        for winner, size, seed in self._startable_confirmations():
            if fits(winner.task, size):
                return SweepRun(_confirm_key(winner, size, seed), "confirm", winner, self._run(winner, size, seed))
        return None

    def _startable_confirmations(self) -> Iterator[tuple[Trial, TrainingSet, int]]:
        """Those of searches that are over, which neither are stored nor run."""
        for task, size, seed in self._open_confirmations():
            if not self.brain.finished(task):
                continue
            winner = self.brain.winner(task)
            assert winner is not None
            if _confirm_key(winner, size, seed) not in self._live:
                yield winner, size, seed

    def _open_confirmations(self) -> Iterator[tuple[Task, TrainingSet, int]]:
        """Those not yet stored, less those of a task that ended without a winner."""
        winners = {task.name: self.brain.winner(task) for task in self.tasks if self.brain.finished(task)}
        for task, size, seed in self._confirmations:
            winner = winners.get(task.name)
            lost = task.name in winners and winner is None
            if not lost and (winner is None or _confirm_key(winner, size, seed) not in self._stored):
                yield task, size, seed

    def _next_attack(self) -> SweepRun | None:
        for run in self._open_attacks():
            if run.key not in self._live:
                return run
        return None

    def _open_attacks(self) -> Iterator[SweepRun]:
        """Confirmed runs whose robustness tests are not those of the study."""
        if self._attacked >= self._stored:
            return
        for task, size, seed in self._confirmations:
            winner = self.brain.winner(task)
            if winner is not None and (key := _confirm_key(winner, size, seed)) in self._stored - self._attacked:
                yield SweepRun(f"{key}{_ATTACK}", "attack", winner, self._run(winner, size, seed))

    def _needs_no_attack(self, key: str) -> bool:
        """Whether a stored run has had the tests of the study, or did not end well."""
        if self.store.has("robustness", key) and self.store.metadata("robustness", key, "tests") == self._attacks:
            return True
        (row,) = self.store.rows("final", key)
        return bool(row["state"] != "complete")

    def _drop_superseded(self, task: Task, size: TrainingSet, seed: int) -> None:
        """Where a search went on and found another winner, remove what the last one came to, once that is replaced."""
        winner = self.brain.winner(task)
        if winner is None or _confirm_key(winner, size, seed) not in self._stored:
            return
        own = _confirm_key(winner, size, seed)
        any_trial = re.compile(re.escape(own).replace(f"trial\\-{winner.number:05d}", r"trial\-\d{5,}"))
        for key in [key for key in self._stored if key != own and any_trial.fullmatch(key)]:
            for table in ("epochs", "robustness", "final"):
                self.store.drop(table, key)
            checkpoints.remove(self.checkpoint_directory(key))
            self._stored.remove(key)
            self._attacked.discard(key)

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
            "fraction": run.run.fraction,
            "images_per_class": run.run.images_per_class,
        }

    def _snapshot(self) -> SweepProgress:
        tasks = []
        for task in self.tasks:
            counts = self.brain.counts(task)
            running = sum(
                live.run.stage == "search" and live.run.trial.task.name == task.name for live in self._live.values()
            )
            running += sum(run.trial.task.name == task.name for run in self._next_seeds)
            tasks.append(TaskProgress(task, running, counts.complete, counts.pruned, counts.failed, counts.best))
        return SweepProgress(
            tasks=tuple(tasks),
            confirmed=self._confirmed(),
            confirming=sum(live.run.stage != "search" for live in self._live.values()),
            confirmations=len(self._confirmations),
            epochs=self._epochs,
            elapsed_s=time.monotonic() - self._begin,
            left_s=self._time_left(tasks),
        )

    def _confirmed(self) -> int:
        return len(self._confirmations) - sum(1 for _ in self._open_confirmations()) - self._lost()

    def _lost(self) -> int:
        """Confirmations of tasks that ended without a winner."""
        lost = {t.name for t in self.tasks if self.brain.finished(t) and self.brain.winner(t) is None}
        return sum(task.name in lost for task, _, _ in self._confirmations)

    def _time_left(self, tasks: Sequence[TaskProgress]) -> float | None:
        """Epochs left times the time an epoch has taken so far."""
        if self._first_epoch is None:
            return None
        left = epochs_left(
            tasks,
            epochs=self.study.training.epochs,
            trained=self._epochs,
            confirmed=self._confirmed(),
            confirmations=len(self._confirmations) - self._lost(),
        )
        return left * (time.monotonic() - self._first_epoch) / self._epochs


def _shortest(epochs: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds of the shortest: the first one of a process, or one on a busy machine, may take many times as long."""
    return min((row["wall_s"] for row in epochs), default=None)


def _trial_key(trial: Trial) -> str:
    return f"{trial.task.regularizer}-at-{_file_name(trial.task.training_set)}-trial-{trial.number:05d}"


def _seed_key(trial: Trial, place: int) -> str:
    return _trial_key(trial) + (f"-seed-{place + 1}" if place else "")


def _confirm_key(winner: Trial, size: TrainingSet, seed: int) -> str:
    task = winner.task
    head = f"{task.regularizer}-from-{_file_name(task.training_set)}-at-{_file_name(size)}"
    return f"{head}-trial-{winner.number:05d}-seed-{seed}"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _stored_key(key: str) -> str:
    """Of the confirmed run that is attacked."""
    return key.removesuffix(_ATTACK)


def _file_name(size: TrainingSet) -> str:
    return size.name.replace(" ", "-")


def _outcome(run: SweepRun, state: State, reason: str | None) -> dict[str, Any]:
    return {"state": state, "reason": reason, "params": run.trial.params, "trial": run.trial.number}


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

"""The controller of a study: which run comes next, what became of it, and whether the study can go on.

It joins the stages, which decide and write rows. A finished run is in the store before the search is told, so that a
process killed between the two loses nothing and repeats nothing.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tune_reg.errors import ClusterError, DataError, TuneRegError
from tune_reg.execution.confirm_stage import ConfirmStage
from tune_reg.execution.confirmed_runs import ConfirmedCounts, ConfirmedRuns
from tune_reg.execution.messages import (
    Completed,
    DataFault,
    DeviceFault,
    Diverged,
    Failed,
    Outcome,
    Pruned,
    RunOrder,
    RunReport,
    RunStage,
    StudyFault,
)
from tune_reg.execution.objects import regularizers_of
from tune_reg.execution.progress import StudyProgress, TaskProgress, epochs_left
from tune_reg.execution.recorder import Recorder
from tune_reg.execution.results_directory import as_begun, cannot_be_written
from tune_reg.execution.retried_trials import retried_trials
from tune_reg.execution.robustness_stage import RobustnessStage
from tune_reg.execution.search_stage import SearchStage
from tune_reg.execution.stage import Stage, Wanted
from tune_reg.execution.study_run import SearchKeys, StudyRun, checkpoint_directory
from tune_reg.execution.tracking import Tracking
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.journal_repair import journal_in_line
from tune_reg.storage.paths import StoragePath
from tune_reg.store import EpochValues
from tune_reg.store.journal_keys import JOURNAL
from tune_reg.study import StudyPlan, Task
from tune_reg.training import checkpoint as checkpoints
from tune_reg.user_objects import OBJECTS


@dataclass
class _LiveRun:
    run: StudyRun
    rows: dict[int, EpochValues] = field(default_factory=dict)  # by epoch
    is_waiting: bool = False

    @property
    def in_order(self) -> list[EpochValues]:
        return [self.rows[epoch] for epoch in sorted(self.rows)]


class StudyController:
    """One study being run. Not thread-safe, but ``progress`` and ``stop`` may be called from another thread.

    ``data_root``, ``data_md5``, ``plugins``: what workers are told beside the run itself. ``robustness_only``: nothing
    is searched or confirmed; confirmed runs get the robustness tests that they lack. ``retry_failed``: every run that
    failed is tried again, and not only those whose code has changed since. ``note``: is told, in a line, that a search
    was stopped, and what a run says of itself.
    """

    def __init__(
        self,
        plan: StudyPlan,
        directory: StoragePath,
        *,
        data_root: Path | None = None,
        data_md5: str | None = None,
        plugins: Sequence[Path] = (),
        robustness_only: bool = False,
        retry_failed: bool = False,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.directory = directory
        self._data_root = str(data_root) if data_root else None
        self._data_md5 = data_md5
        self._plugins = tuple(str(path.absolute()) for path in plugins)
        study = plan.study
        self._regularizers = regularizers_of(study)
        recorder = Recorder(plan, directory)
        rows = recorder.trial_rows()
        journal = journal_in_line(
            directory / JOURNAL,
            plan.tasks,
            study.search,
            rows,
            recorder.stored_trials,
            metric=study.metric.metric,
        )
        self._asks = AskTell(
            journal,
            plan.tasks,
            as_begun(directory, study).search,
            epochs=study.training.epochs * study.search.seeds,
            metric=study.metric.metric,
            validate_every=study.training.validate_every,
            seed=study.seed,
            images=plan.validation_images,
            retry=retried_trials(recorder, always=retry_failed) if not robustness_only else lambda *_: False,
            stored=rows,
        )
        self._drop_unknown_trials(recorder)
        failed = {} if robustness_only else recorder.failed_confirmed()
        retried = [key for key, row in failed.items() if retry_failed or recorder.has_other_code(row)]
        self._confirmed = ConfirmedRuns(plan, self._asks, recorder, directory, retried=retried)
        self._search = SearchStage(plan, self._asks, recorder, directory)
        later: Stage = RobustnessStage(plan, self._confirmed, recorder)
        self._confirm = ConfirmStage(plan, self._confirmed, recorder)
        #: In the order in which they are asked for runs.
        self._stages: tuple[Stage, ...] = (later,) if robustness_only else (self._search, self._confirm, later)
        self._stage_of: dict[RunStage, Stage] = {"search": self._search, "confirm": self._confirm, "robustness": later}
        self._live: dict[str, _LiveRun] = {}
        self._stopped_by: TuneRegError | KeyboardInterrupt | None = None
        self._begin = time.monotonic()
        self._epochs = 0
        self._first_epoch: float | None = None  # when it began: the time before is the start of the workers
        #: Tells a person a line.
        self.note = note
        self._tracking = Tracking(study, directory, note)
        self._noted: set[str] = set()  # names of stopped searches
        for task in plan.tasks if not robustness_only else ():
            self._note_if_stopped(task)
        if not robustness_only:
            self._confirm.write_decisions()  # what a killed process left to do
        self._progress = self._snapshot()

    def _drop_unknown_trials(self, recorder: Recorder) -> None:
        """Remove what is left of trials whose configurations went with the journal: they are asked again."""
        known = self._asks.known()
        recorder.drop_unknown_epochs(known)
        keys = SearchKeys(self.plan.tasks)
        for folder in (self.directory / "checkpoints").glob("*"):
            if keys.is_unknown(folder.name, known):
                checkpoints.remove(folder)

    # Starting runs

    def next_run(self, wanted: Wanted | None = None) -> StudyRun | None:
        """The next run to start, or None where none can start until a running one ends, or the study was stopped.

        ``wanted``: only runs that train, and of which it is true.
        """
        with self._stopping_on_write_errors():
            for stage in self._stages if self._stopped_by is None else ():
                run = stage.next_run(wanted)
                if run is not None:
                    self._live[run.key] = _LiveRun(run, {row["epoch"]: row for row in stage.rows_so_far(run)})
                    self._progress = self._snapshot()
                    return run
        return None

    def order(self, run: StudyRun) -> RunOrder:
        """What the worker that trains ``run`` is told."""
        study = self.plan.study
        return RunOrder(
            key=run.key,
            stage=run.stage,
            run=run.run,
            checkpoints=str(checkpoint_directory(self.directory, run.stored_key).absolute()),
            data_root=self._data_root,
            data_md5=self._data_md5,
            plugins=self._plugins,
            objects=str((self.directory / OBJECTS).absolute()),
            regularizers=self._regularizers,
            robustness=study.robustness,
            validation_attack=study.search.validation_attack,
            working_folder=str(Path.cwd()),
            import_path=tuple(path or str(Path.cwd()) for path in sys.path),
        )

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing is left to start."""
        return not self._live and all(stage.finished for stage in self._stages)

    def set_waiting(self, key: str, *, is_waiting: bool) -> None:
        """Say whether a run that was begun waits for processors; one that reports does not wait."""
        live = self._live.get(key)
        if live is not None and live.is_waiting != is_waiting:
            live.is_waiting = is_waiting
            self._progress = self._snapshot()

    def open_runs(self) -> int:
        """How many runs are under way or could be started now."""
        return len(self._live) + sum(stage.startable() for stage in self._stages)

    # What becomes of them

    def take(self, key: str, report: RunReport) -> Decision:
        """Take what a worker reports of a run; ``Decision.CONTINUE`` where the worker is to go on with it.

        Epochs that were reported before change nothing. Here alone is decided how a run ends.
        """
        live = self._live.get(key)
        if live is None:
            return Decision.STOP
        live.is_waiting = False
        with self._stopping_on_write_errors():
            if self._stopped_by is not None:
                return Decision.CONTINUE  # the study ends as a whole, and goes on from its checkpoints
            if report.note is not None:
                self.note(f"{key}: {report.note}")
            decision = self._take_epochs(live, report.rows)
            if decision is Decision.PAUSE:
                self._pause(live)
                return decision
            if decision is Decision.STOP:
                self._end(live, Pruned())
                return decision
            if report.outcome is not None:
                self._end(live, self._judged(live, report.outcome))
                return Decision.STOP
            self._progress = self._snapshot()
        return Decision.CONTINUE

    def _judged(self, live: _LiveRun, outcome: Outcome) -> Outcome:
        """How a run ended: one that was trained to the end without a finite value of the metric has diverged."""
        last = live.in_order[-1:]
        metric = self.plan.study.metric.metric
        if isinstance(outcome, Completed) and last and not math.isfinite(metric.of_epoch(last[0])):
            return Diverged()
        return outcome

    def give_up(self, key: str, reason: str) -> None:
        """End a run that failed more often than it may."""
        with self._stopping_on_write_errors():
            if self._stopped_by is None:
                self._end(self._live[key], Failed(reason))

    def _take_epochs(self, live: _LiveRun, rows: Sequence[EpochValues]) -> Decision:
        decision = Decision.CONTINUE
        for row in rows:
            if decision is not Decision.CONTINUE:
                break  # an epoch that was trained although the decision had been made, and was lost
            if row["epoch"] in live.rows:
                continue
            live.rows[row["epoch"]] = row
            self._tracking.take_epoch(live.run, row)
            self._epochs += 1
            if self._first_epoch is None:
                self._first_epoch = time.monotonic() - row["wall_s"]
            decision = self._stage_of[live.run.stage].take_epoch(live.run, live.in_order)
        at_end = max(live.rows, default=0) >= self.plan.study.training.epochs
        return Decision.CONTINUE if at_end else decision

    def _pause(self, live: _LiveRun) -> None:
        del self._live[live.run.key]
        self._stage_of[live.run.stage].pause(live.run)
        self._tracking.pause(live.run)
        self._take_looks_after(live.run)
        self._progress = self._snapshot()

    def _end(self, live: _LiveRun, outcome: Outcome) -> None:
        del self._live[live.run.key]
        self._stage_of[live.run.stage].end(live.run, live.in_order, outcome)
        self._tracking.end(live.run, live.in_order, outcome)
        self._take_looks_after(live.run)
        self._note_if_stopped(live.run.trial.task)
        self._progress = self._snapshot()

    def _take_looks_after(self, run: StudyRun) -> None:
        """Where a search has ended with a winner whose confirmed runs are stored, there are looks to write down."""
        if run.stage == "search" and self._asks.finished(run.trial.task):
            self._confirm.write_decisions()

    def _note_if_stopped(self, task: Task) -> None:
        stopped = self._asks.stopped(task)
        if stopped is not None and task.name not in self._noted:
            self._noted.add(task.name)
            reason, left = stopped
            others = "other trial is" if left == 1 else f"{left} other trials are"
            self.note(
                f"{task.name}: its first trials all failed with {reason.rstrip('.')}; its {others} not started. Mend "
                "the cause and give the command again"
            )

    # Whether the study can go on

    def take_fault(self, fault: StudyFault) -> None:
        """Stop the study where a worker cannot write a checkpoint, has other data, or lacks its GPU."""
        if isinstance(fault, DataFault):
            self.stop(DataError(fault.reason))
        elif isinstance(fault, DeviceFault):
            self.stop(ClusterError(fault.reason))
        else:
            self.stop(cannot_be_written(self.directory, fault.reason))

    def stop(self, error: TuneRegError | KeyboardInterrupt) -> None:
        """Stop the study as a whole; ``raise_if_stopped`` raises the first error that was given."""
        self._stopped_by = self._stopped_by or error

    @property
    def stopped(self) -> bool:
        """Whether the study was stopped as a whole."""
        return self._stopped_by is not None

    @property
    def interrupt(self) -> KeyboardInterrupt | None:
        """The ``KeyboardInterrupt`` that stopped the study, where one did."""
        return self._stopped_by if isinstance(self._stopped_by, KeyboardInterrupt) else None

    def raise_if_stopped(self) -> None:
        """Raise the error for which the study was stopped, if it was."""
        if self._stopped_by is not None:
            raise self._stopped_by

    @contextmanager
    def _stopping_on_write_errors(self) -> Iterator[None]:
        """Stop the study where its directory cannot be written: a backend would take the error for one of a run."""
        try:
            yield
        except OSError as error:
            self.stop(cannot_be_written(self.directory, error.strerror or str(error)))

    # Progress

    def progress(self) -> StudyProgress:
        """How far the study is, as of the last event."""
        return self._progress

    def _snapshot(self) -> StudyProgress:
        tasks = tuple(self._task_progress())
        counts = self._confirmed.counts()
        confirming = [live for live in self._live.values() if live.run.stage != "search"]
        return StudyProgress(
            tasks=tasks,
            confirmed=counts.stored,
            confirming=sum(not live.is_waiting for live in confirming),
            confirming_waiting=sum(live.is_waiting for live in confirming),
            confirmations=counts.asked,
            confirmations_at_most=counts.at_most,
            epochs=self._epochs,
            elapsed_s=time.monotonic() - self._begin,
            left_s=self._seconds_left(tasks, counts),
            metric=self.plan.study.metric.metric,
        )

    def _task_progress(self) -> Iterator[TaskProgress]:
        for task in self.plan.tasks:
            counts = self._asks.counts(task)
            searching = [
                live
                for live in self._live.values()
                if live.run.stage == "search" and live.run.trial.task.name == task.name
            ]
            yield TaskProgress(
                task,
                sum(not live.is_waiting for live in searching),
                counts.complete,
                counts.pruned,
                counts.failed,
                counts.best,
                counts.paused,
                self._asks.trainings(task),
                counts.added,
                waiting=sum(live.is_waiting for live in searching) + self._search.waiting_seeds(task.name),
            )

    def _seconds_left(self, tasks: Sequence[TaskProgress], counts: ConfirmedCounts) -> float | None:
        """Epochs left times the time that an epoch has taken so far."""
        if self._first_epoch is None:
            return None
        left = epochs_left(
            tasks,
            epochs=self.plan.study.training.epochs,
            trained=self._epochs,
            confirmed=counts.stored,
            confirmations=counts.asked - counts.without_winner,
        )
        return left * (time.monotonic() - self._first_epoch) / self._epochs

"""The confirmation: each winner is trained anew on fresh seeds, which all methods share, and tested once.

In rounds the methods that are not decided are trained on more seeds, and the baseline with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tune_reg.decisions import Look
from tune_reg.execution.confirmed_runs import ConfirmedRuns
from tune_reg.execution.messages import Completed, Failed, Outcome
from tune_reg.execution.recorder import Recorder, reason_of
from tune_reg.execution.stage import Stage, Wanted
from tune_reg.execution.study_run import StudyRun, confirm_run
from tune_reg.store import EpochValues
from tune_reg.study import Confirmation, StudyPlan


class ConfirmStage(Stage):
    """Starts the confirmed runs of each search that is over, and writes them down."""

    def __init__(self, plan: StudyPlan, confirmed: ConfirmedRuns, recorder: Recorder) -> None:
        self._plan = plan
        self._confirmed = confirmed
        self._recorder = recorder
        self._under_way: set[str] = set()
        self._written: dict[str, list[Look]] = {}

    def next_run(self, wanted: Wanted | None) -> StudyRun | None:
        """The next confirmed run of a search that is over."""
        for run in self._startable():
            if wanted is None or wanted(run.trial.task, run.training_set):
                self._under_way.add(run.key)
                return run
        return None

    def end(self, run: StudyRun, rows: Sequence[EpochValues], outcome: Outcome) -> None:
        """Write a confirmed run down, with its tests."""
        self._under_way.discard(run.key)
        if isinstance(outcome, Failed):
            self._confirmed.remove_checkpoints(run.key)  # tried again, it begins anew
        completed = outcome if isinstance(outcome, Completed) else Completed()
        self._recorder.write_confirmed(
            run, rows, outcome, reason_of(outcome, rows), completed.final, completed.robustness
        )
        self._confirmed.add(run.trial, Confirmation(run.trial.task, run.training_set, run.run.seed))
        self.write_decisions()

    def write_decisions(self) -> None:
        """Write down what the looks at the confirmed runs say, as far as there are any."""
        for name, task in self._plan.primary_tasks.items():
            looks = self._confirmed.looks(name) if name != self._plan.study.baseline else []
            if looks != self._written.get(name):
                self._recorder.write_decisions(task, looks)
                self._written[name] = looks
        self._confirmed.drop_beyond()

    def startable(self) -> int:
        """How many confirmed runs could be started now."""
        return sum(1 for _ in self._startable())

    @property
    def finished(self) -> bool:
        """Whether every confirmed run is stored that will ever be."""
        return not any(True for _ in self._confirmed.missing())

    def _startable(self) -> Iterator[StudyRun]:
        for confirmation, winner in self._confirmed.missing():
            if winner is not None:
                run = confirm_run(self._plan, winner, confirmation.training_set, confirmation.seed)
                if run.key not in self._under_way:
                    yield run

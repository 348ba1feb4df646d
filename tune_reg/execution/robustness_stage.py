"""Later robustness tests: confirmed runs whose tests are not those of the study are tested from their checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tune_reg.execution.confirmed_runs import ConfirmedRuns
from tune_reg.execution.messages import Completed, Outcome
from tune_reg.execution.recorder import Recorder
from tune_reg.execution.stage import Stage, Wanted
from tune_reg.execution.study_run import StudyRun, robustness_run
from tune_reg.store import EpochValues
from tune_reg.study import StudyPlan


class RobustnessStage(Stage):
    """Starts the robustness tests that stored runs lack, and writes them down."""

    def __init__(self, plan: StudyPlan, confirmed: ConfirmedRuns, recorder: Recorder) -> None:
        self._plan = plan
        self._confirmed = confirmed
        self._recorder = recorder
        self._under_way: set[str] = set()

    def next_run(self, wanted: Wanted | None) -> StudyRun | None:
        """The next stored run without its tests; none where only runs that train are wanted."""
        if wanted is not None:
            return None
        run = next(self._startable(), None)
        if run is not None:
            self._under_way.add(run.key)
        return run

    def end(self, run: StudyRun, rows: Sequence[EpochValues], outcome: Outcome) -> None:
        """Write the tests down. Where they could not be made, the run stays as it is, without them."""
        del rows
        self._under_way.discard(run.key)
        if isinstance(outcome, Completed):
            self._recorder.write_robustness(run, outcome.robustness)
        self._confirmed.add_tests(run.stored_key)

    def startable(self) -> int:
        """How many runs could be tested now."""
        return sum(1 for _ in self._startable())

    @property
    def finished(self) -> bool:
        """Whether every stored run has had its tests."""
        return not any(True for _ in self._confirmed.untested())

    def _startable(self) -> Iterator[StudyRun]:
        for confirmation, winner in self._confirmed.untested():
            run = robustness_run(self._plan, winner, confirmation.training_set, confirmation.seed)
            if run.key not in self._under_way:
                yield run

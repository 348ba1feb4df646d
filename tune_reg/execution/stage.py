"""A stage of a study: which of its runs comes next, and what becomes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tune_reg.execution.messages import Outcome
from tune_reg.execution.study_run import StudyRun
from tune_reg.search.decision import Decision
from tune_reg.store import EpochValues
from tune_reg.study import Task
from tune_reg.training import TrainingSet

#: Whether the runs of a task on a training set are wanted now.
Wanted: TypeAlias = Callable[[Task, TrainingSet], bool]


class Stage(ABC):
    """Search, confirmation, or later robustness tests: the controller asks each of them in turn for the next run."""

    @abstractmethod
    def next_run(self, wanted: Wanted | None) -> StudyRun | None:
        """The next run to start, or None where none can start until a running one ends.

        ``wanted``: only runs that train, and of which it is true; None: any run.
        """

    def take_epoch(self, run: StudyRun, rows: Sequence[EpochValues]) -> Decision:
        """Take a new epoch of a run of this stage, and decide whether the run goes on; most stages stop no run.

        ``rows``: all its epochs so far, the new one last.
        """
        del run, rows
        return Decision.CONTINUE

    def rows_so_far(self, run: StudyRun) -> Sequence[EpochValues]:
        """The epochs of a run that is to go on, as far as they are stored; most stages pause no run."""
        del run
        return ()

    def pause(self, run: StudyRun) -> None:
        """Let a run of this stage wait that ``take_epoch`` pauses; most stages pause no run."""
        del run

    @abstractmethod
    def end(self, run: StudyRun, rows: Sequence[EpochValues], outcome: Outcome) -> None:
        """Write down a run of this stage that is over. ``rows``: all its epochs, in their order."""

    @abstractmethod
    def startable(self) -> int:
        """How many runs could be started now."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether nothing of this stage is left to start, now or later."""

"""Ray Tune's searcher: starts the runs that the controller of a study says come next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from tune_reg.backends.ray.not_pickled import NotPickled
from tune_reg.backends.ray.study_trainables import config_of
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroup, LaneGroups
from tune_reg.execution.study_run import StudyRun


class StudySearcher(NotPickled, Searcher):
    """Starts what comes next in a study, one run for each free slot.

    ``slots``: how many runs fit on the cluster now. ``place``: what a config says of where its run may lie.
    """

    def __init__(
        self,
        controller: StudyController,
        *,
        slots: Callable[[], int],
        place: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(metric="training_iteration", mode="max")
        self._place = place
        self._controller = controller
        self._slots = slots
        self._started: set[str] = set()  # Tune's names of the trials that are under way

    def suggest(self, trial_id: str) -> Any:
        """The config of the next run, None to wait, or FINISHED."""
        # A run asked for long before it can start knows less of its predecessors: ask for one a free slot.
        if len(self._started) >= self._slots():
            return None
        config = self._next_config()
        if config is not None:
            self._started.add(trial_id)
            return {**config, **self._place()}
        # Tune asks the stopper at a result only, and where nothing runs there is none.
        over = self._controller.stopped or self._controller.finished
        return Searcher.FINISHED if over else None

    def _next_config(self) -> dict[str, Any] | None:
        run = self._controller.next_run()
        return None if run is None else self._config_of(run)

    def _config_of(self, run: StudyRun) -> dict[str, Any]:
        self._controller.set_waiting(run.key, is_waiting=True)
        return config_of(run.key, self._controller.order(run))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Free a slot; what became of the run is the scheduler's to tell."""
        del result, error
        self._started.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the journal remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the journal remembers."""


class LaneGroupSearcher(StudySearcher):
    """Starts the lane groups and single runs that come next in a study."""

    def __init__(
        self,
        groups: LaneGroups,
        controller: StudyController,
        *,
        slots: Callable[[], int],
        place: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(controller, slots=slots, place=place)
        self._groups = groups

    def _next_config(self) -> dict[str, Any] | None:
        upcoming = self._groups.next_run()
        if upcoming is None:
            return None
        if isinstance(upcoming, LaneGroup):
            for key in upcoming.runs:
                self._controller.set_waiting(key, is_waiting=True)
            return config_of(upcoming.name, self._groups.order(upcoming))
        return self._config_of(upcoming)

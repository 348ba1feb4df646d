"""Ray Tune's scheduler: hands each result of a run to the controller of the study, and stops what it says to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_reg.backends.ray.hang_watch import HangWatch
from tune_reg.backends.ray.not_pickled import NotPickled
from tune_reg.backends.ray.placement import Placement
from tune_reg.backends.ray.study_trainables import MESSAGE, config_of
from tune_reg.errors import LostClusterError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroup, LaneGroups
from tune_reg.execution.messages import (
    LaneChange,
    LaneGroupFailed,
    LanesMeasured,
    RunReport,
    StudyFault,
)
from tune_reg.search.decision import Decision
from tune_reg.user_code import raised_at_in


class StudyScheduler(NotPickled, FIFOScheduler):
    """Hands every result to the controller and stops what it says to stop.

    Where the directory cannot be written, nothing more is, and ``StudyStopper`` ends the study: what was running
    goes on from its checkpoints when the same command is given again. ``placement``: where runs may lie, on a
    cluster whose nodes were looked at.
    """

    # One result a call: a decision must come before the next epoch.
    _supports_buffered_results = False

    def __init__(self, controller: StudyController, hangs: HangWatch, placement: Placement | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._controller = controller
        self._hangs = hangs
        self._placement = placement

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Name no trial: Tune then gives the process of a run that has ended to the newest run, which has none.

        Tune's own scheduler names the oldest trial, after a look at all of them, and a process is being started for
        that one. Tune kills this process when the oldest trial gets another: where runs are short, only a few processes
        would ever live.
        """
        del tune_controller

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Write down the epoch; go on or stop."""
        del tune_controller
        return TrialScheduler.STOP if self._take(trial, result[MESSAGE]) else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """Take the last result of a run, which Tune brings here alone. That of a pruned run was brought before."""
        del tune_controller
        self._take(trial, result[MESSAGE])

    def on_trial_error(self, tune_controller: Any, trial: TuneTrial) -> None:
        """A run that failed more often than it may is given up, with its reason."""
        del tune_controller
        if not self._controller.stopped and is_driver_node_lost(trial):
            self._controller.stop(
                LostClusterError("Ray has died on this machine; give the command again, and it goes on")
            )
        if trial.status == TuneTrial.ERROR:
            if self._placement is not None:
                self._placement.move(trial)
            self._set_waiting(trial, is_waiting=True)
            return  # Tune is about to start it anew: it goes on from its newest checkpoint
        self._give_up(trial)

    def on_trial_start(self, trial: TuneTrial) -> None:
        """A run has its processors: until then it has waited for them."""
        self._set_waiting(trial, is_waiting=False)

    def _set_waiting(self, trial: TuneTrial, *, is_waiting: bool) -> None:
        for key in self._keys(trial.config["key"]):
            self._controller.set_waiting(key, is_waiting=is_waiting)

    def _keys(self, name: str) -> Iterable[str]:
        """The runs of a Tune trial, by the name in its config."""
        return (name,)

    def _take(self, trial: TuneTrial, message: RunReport | StudyFault) -> bool:
        """Hand a message of a run over; whether its Tune trial is over."""
        if isinstance(message, StudyFault):
            self._controller.take_fault(message)
            return False
        return self._controller.take(trial.config["key"], message) is not Decision.CONTINUE

    def _give_up(self, trial: TuneTrial) -> None:
        key = trial.config["key"]
        self._controller.give_up(key, self._hangs.pop_reason(trial) or failure_reason(trial))


class LaneGroupScheduler(StudyScheduler):
    """Hands what each run of a lane group reports to ``groups``, and tells the worker what is new."""

    def __init__(
        self,
        groups: LaneGroups,
        controller: StudyController,
        hangs: HangWatch,
        placement: Placement | None = None,
    ) -> None:
        super().__init__(controller, hangs, placement)
        self._groups = groups
        self._said: set[str] = set()

    def _keys(self, name: str) -> Iterable[str]:
        group = self._groups.find(name)
        return super()._keys(name) if group is None else tuple(group.runs)

    def _take(self, trial: TuneTrial, message: Any) -> bool:
        """Write down the epochs; refill the lanes of runs that have ended; a group without runs is over."""
        group = self._groups.find(trial.config["key"])
        if group is None or isinstance(message, StudyFault):
            return super()._take(trial, message)
        if self._controller.stopped:
            return False
        if isinstance(message, LaneGroupFailed):
            self._groups.give_up(group)
            return True
        if isinstance(message, LanesMeasured):
            self._say(group, message)
            change = self._groups.take_measured(group, message.lanes)
        else:
            change = self._groups.take(group, message.reports)
        if not group.runs:
            return True
        if change.ended or change.started or isinstance(message, LanesMeasured):
            self._tell(trial, group, change)
        return False

    def _say(self, group: LaneGroup, message: LanesMeasured) -> None:
        """Tell a person how many lanes pay, once for each regularizer and device."""
        where = f"on {message.device} for {group.key.regularizer}"
        gain = f"{message.gain:.3g} x one run" if message.lanes > 1 else "more do not pay"
        line = f"lanes: {message.lanes} {where}, {gain}{', as measured before' if message.remembered else ''}"
        if line not in self._said:
            self._said.add(line)
            self._controller.note(line)

    def _tell(self, trial: TuneTrial, group: LaneGroup, change: LaneChange) -> None:
        # Should its process be lost, the next one begins with these runs.
        trial.set_config(config_of(group.name, self._groups.order(group)))  # type: ignore[no-untyped-call]
        actor = trial.temporary_state.ray_actor
        if actor is not None:
            actor.change.remote(change)

    def _give_up(self, trial: TuneTrial) -> None:
        group = self._groups.find(trial.config["key"])
        if group is None:
            super()._give_up(trial)
            return
        self._hangs.pop_reason(trial)  # its runs are tried again, alone
        if not self._controller.stopped:
            self._groups.give_up(group)


class StartWatch(NotPickled, Callback):
    """Says when the process of a run is there, which Tune tells callbacks alone."""

    def __init__(self, tell: Callable[[TuneTrial], None]) -> None:
        self._tell = tell

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Hand the trial over."""
        del iteration, trials, info
        self._tell(trial)


class StudyStopper(NotPickled, Stopper):
    """Ends everything once the study was stopped as a whole."""

    def __init__(self, controller: StudyController) -> None:
        self._controller = controller

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single run here."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Whether the study was stopped."""
        return self._controller.stopped


def is_driver_node_lost(trial: TuneTrial) -> bool:
    """Whether a run failed because Ray takes this process's node for dead: no run can then be started any more."""
    if "its owner has died" in str(trial.get_error() or ""):
        return True
    node_id = ray.get_runtime_context().get_node_id()
    return not any(node["Alive"] and node["NodeID"] == node_id for node in ray.nodes())  # type: ignore[no-untyped-call]


def failure_reason(trial: TuneTrial) -> str:
    """The last line of the error with which the trial's process failed, and where in the user's code it arose."""
    error = trial.get_error()  # None where the process died before it could say anything
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return f"{lines[-1]}{raised_at_in(str(error))}" if lines else "its process ended without a word"

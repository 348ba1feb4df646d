"""Ray Tune's searcher and scheduler as thin adapters on one sweep."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tune_reg.errors import LostClusterError
from tune_reg.execution.results_directory import cannot_be_written
from tune_reg.execution.controller import StudyController, StudyRun

#: How old the number of slots may be.
_COUNT_S: Final = 5.0


class _NotPickled:
    """Tune pickles the searcher and the scheduler into its own snapshots, which nobody reads: the journal and the
    store remember. A copy is empty."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()


class StudySearcher(_NotPickled, Searcher):
    """Starts what the sweep says comes next.

    ``slots``: how many runs fit on the cluster, asked anew every few seconds.
    """

    def __init__(
        self, sweep: StudyController, *, slots: Callable[[], int], data_root: Path | None, plugins: Sequence[Path] = ()
    ) -> None:
        super().__init__(metric="training_iteration", mode="max")
        self._sweep = sweep
        self._count_slots = slots
        self._slots, self._counted = slots(), time.monotonic()
        self._data_root = data_root
        self._plugins = [str(path.absolute()) for path in plugins]
        self._keys: dict[str, str] = {}

    def suggest(self, trial_id: str) -> Any:
        """The config of the next run, None to wait, or FINISHED."""
        if time.monotonic() - self._counted > _COUNT_S:
            self._slots, self._counted = self._count_slots(), time.monotonic()
        # A run asked for long before it can start knows less of its predecessors: ask for one a free slot.
        if len(self._keys) >= self._slots:
            return None
        answer: Any = None
        with writing(self._sweep, {}) as able:
            config = self._next() if able else None
            if config is not None:
                self._keys[trial_id] = config["key"]
                answer = config
            elif self._sweep.finished:
                answer = Searcher.FINISHED
        # Tune asks ``FaultStopper`` at a result only, and where nothing runs there is none.
        return Searcher.FINISHED if self._sweep.fatal is not None else answer

    def _next(self) -> dict[str, Any] | None:
        run = self._sweep.next()
        return None if run is None else self.config(run)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A slot is free; what became of the run is the scheduler's to tell."""
        del result, error
        self._keys.pop(trial_id, None)

    def config(self, run: StudyRun) -> dict[str, Any]:
        """What the process that trains ``run`` must know."""
        study = self._sweep.study
        plain = {**dataclasses.asdict(run.run), "training": study.training.model_dump()}
        return {
            "key": run.key,
            "run": plain,
            "data": str(self._data_root) if self._data_root else None,
            "plugins": self._plugins,
            "checkpoints": str(self._sweep.checkpoint_directory(run.key).absolute()),
            "stage": run.stage,
            "robustness": study.robustness.model_dump(),
            "attack": study.search.attack,
        }

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the journal remembers."""


class StudyScheduler(_NotPickled, FIFOScheduler):
    """Hands every result to the sweep and stops what it says to stop.

    Where the directory cannot be written, nothing more is, and ``FaultStopper`` ends the study: what was running
    goes on from its checkpoints when the same command is given again.
    """

    # One result a call: a decision must come before the next epoch.
    _supports_buffered_results = False

    def __init__(self, sweep: StudyController) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sweep = sweep

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """No one in particular: Tune then gives the process of a run that has ended to the newest, which has none.

        The oldest, which Tune's own scheduler names after a look at all trials, has a process that is being started.
        Tune kills that one when it gets another: where runs are short, no more than a few processes would ever live.
        """
        del tune_controller

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Write down the epoch; go on or stop."""
        del tune_controller
        with writing(self._sweep, result) as able:
            if able and self._sweep.on_epochs(trial.config["key"], result["rows"]):
                return TrialScheduler.STOP
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """A run is over: Tune brings its last result here alone. That of a pruned run was brought before."""
        del tune_controller
        key = trial.config["key"]
        if not self._sweep.is_live(key):
            return
        with writing(self._sweep, result) as able:
            if able and not self._sweep.on_epochs(key, result["rows"]):
                end_trained(self._sweep, key, result)

    def on_trial_error(self, tune_controller: Any, trial: TuneTrial) -> None:
        """A run that failed more often than it may is given up, with its reason."""
        del tune_controller
        if self._sweep.fatal is None and own_node_lost(trial):
            self._sweep.fail(LostClusterError("Ray has died on this machine; give the command again, and it goes on"))
        if trial.status == TuneTrial.ERROR:
            return  # Tune is about to start it anew: it goes on from its newest checkpoint
        with writing(self._sweep, {}) as able:
            if able:
                self._give_up(trial)

    def _give_up(self, trial: TuneTrial) -> None:
        key = trial.config["key"]
        self._sweep.end(key, "failed", reason=self._sweep.hung.pop(key, None) or failure_reason(trial))


def end_trained(sweep: StudyController, key: str, result: Mapping[str, Any]) -> None:
    """End a run that has nothing left to train, by the last that it reported."""
    if result["diverged"]:
        sweep.end(key, "diverged", reason="the loss is not finite")
    else:
        (final,) = result.get("final", [None])
        robust = {"robustness": result.get("robustness", ()), "robust_accuracy": result.get("robust_accuracy")}
        sweep.end(key, "complete", final=final, **robust)


@contextmanager
def writing(sweep: StudyController, result: dict[str, Any]) -> Iterator[bool]:
    """Note a fault of the disk, here or in the run's own process. Gives whether there was none so far.

    Tune would take an exception for a fault of the run.
    """
    said = result.get("disk")
    try:
        yield sweep.fatal is None and said is None
    except OSError as error:
        said = error.strerror or str(error)
    if said is not None:
        sweep.fail(cannot_be_written(sweep.directory, said))


class FaultStopper(_NotPickled, Stopper):
    """Ends everything once the sweep has met a fault that concerns all runs."""

    def __init__(self, sweep: StudyController) -> None:
        self._sweep = sweep

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """One run alone is never stopped here."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Whether there is such a fault."""
        return self._sweep.fatal is not None


class HangWatch(_NotPickled, Callback):
    """Ends the process of a run that has reported nothing for too long; Tune then treats it as failed."""

    def __init__(self, sweep: StudyController, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sweep = sweep
        self._clock = clock
        # Not sought among all trials, most of which have ended: Tune asks several times a second.
        self._heard: dict[TuneTrial, float] = {}

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Its process is there."""
        del iteration, trials, info
        self._heard[trial] = self._clock()

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Look at every run that is under way."""
        del iteration, trials, info
        now = self._clock()
        for trial, heard in list(self._heard.items()):
            runs = trial.config.get("lanes", [trial.config])
            # An epoch of runs side by side takes no longer than theirs one after the other.
            limit = self._sweep.study.resources.epoch_timeout_s * len(runs)
            if trial.status != TuneTrial.RUNNING:
                del self._heard[trial]
            elif now - heard > limit:
                actor = trial.temporary_state.ray_actor
                if actor is not None:
                    self._sweep.hung |= {run["key"]: f"no epoch within {limit:g} s" for run in runs}
                    ray.kill(actor)
                    del self._heard[trial]

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: Any, **info: Any
    ) -> None:
        """It is alive."""
        del iteration, trials, result, info
        self._heard[trial] = self._clock()


def own_node_lost(trial: TuneTrial) -> bool:
    """Whether a run failed because Ray takes this process's node for dead: no run can then be started any more."""
    if "its owner has died" in str(trial.get_error() or ""):
        return True
    own = ray.get_runtime_context().get_node_id()
    return not any(node["Alive"] and node["NodeID"] == own for node in ray.nodes())  # type: ignore[no-untyped-call]


def failure_reason(trial: TuneTrial) -> str:
    """The last line of what the trial's process said when it failed."""
    error = trial.get_error()  # None where the process died before it could say anything
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return lines[-1] if lines else "its process ended without a word"

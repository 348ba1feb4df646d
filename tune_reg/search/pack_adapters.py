"""Packs under Ray Tune: a trial is a pack of runs that train side by side, or a run that trains alone.

After each step of a pack the driver tells it which runs have ended and which take their lanes. That is a call of the
trial's own actor, which Ray brings there before the next step, because the same process asks for both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.result import DONE
from ray.tune.schedulers import TrialScheduler

from tune_reg import data
from tune_reg.regularizers import load_plugin
from tune_reg.search.lane_pack import DiskError, LanePack
from tune_reg.search.notice import Preempted, heeded
from tune_reg.search.packs import Change, Pack, Packs
from tune_reg.search.sweep import Sweep
from tune_reg.search.trainables import StudyTrainable, run_of
from tune_reg.search.tune_adapters import SweepScheduler, SweepSearcher, writing
from tune_reg.training import LaneKey, lane_key
from tune_reg.training.lanes import lanes_that_pay, measured


class PackTrainable(StudyTrainable):
    """A pack of runs of a study, an epoch of each a step; or one run, where the config has no ``lanes``."""

    #: What this process has measured.
    _lanes: ClassVar[dict[LaneKey, int]] = {}

    def setup(self, config: dict[str, Any]) -> None:
        """Build the runs, each at its newest checkpoint where there is one."""
        # What this process trained before it holds memory.
        self._pack: LanePack | None = None
        vars(self).pop("engine", None)
        if "lanes" not in config:
            super().setup(config)
            return
        for plugin in config["lanes"][0]["plugins"]:
            load_plugin(Path(plugin))
        self._changes: list[tuple[list[str], list[dict[str, Any]]]] = []
        self._told = False
        self._most: int | None = config["measure"]
        self._where, self._share = self._device()
        self._pack = LanePack(config["lanes"], self._where)

    def change(self, ended: list[str], started: list[dict[str, Any]]) -> None:
        """What the driver says of the last step: the keys of runs to drop, and the configs of those in their place."""
        self._changes.append((ended, started))

    def step(self) -> dict[str, Any]:
        """Train an epoch of each run, or test one of them; before the first, measure how many lanes pay.

        Raises ``Preempted`` where the machine is about to go, after what was trained before is kept and reported.
        """
        if self._pack is None:
            return super().step()
        with heeded() as notice:
            if self._told or notice():
                raise Preempted
            result = self._pack_step(self._pack)
            self._told = notice()
        return result

    def _pack_step(self, pack: LanePack) -> dict[str, Any]:
        while self._changes:
            pack.change(*self._changes.pop(0))
        if self._most is not None:
            most, self._most = self._most, None
            return {"lanes": [], "measured": self._measured(most), DONE: False}
        try:
            return {"lanes": pack.step(), DONE: False}
        except DiskError as fault:
            # A full disk is not this pack's failure: every other run would meet it, too.
            return {"disk": str(fault), DONE: True}

    def _measured(self, most: int) -> int:
        config = self.config["lanes"][0]
        run = run_of(config)
        key = lane_key(run)
        if key not in self._lanes:
            dataset = data.load(run.dataset, Path(config["data"]) if config["data"] else None)
            self._lanes[key] = lanes_that_pay(
                lambda lanes: measured(run, lanes, dataset, self._where, share=self._share), most=most
            )
        return self._lanes[key]


class PackSearcher(SweepSearcher):
    """Starts the packs and single runs that ``packs`` says come next."""

    def __init__(self, packs: Packs, sweep: Sweep, **settings: Any) -> None:
        super().__init__(sweep, **settings)
        self._packs = packs

    def _next(self) -> dict[str, Any] | None:
        self._packs.slots = self._slots
        upcoming = self._packs.next()
        if upcoming is None:
            return None
        return self.pack_config(upcoming) if isinstance(upcoming, Pack) else self.config(upcoming)

    def pack_config(self, pack: Pack) -> dict[str, Any]:
        """What the process that trains a pack must know."""
        return {
            "key": pack.name,
            "lanes": [self.config(run) for run in pack.runs.values()],
            # Measure how many lanes pay, up to so many.
            "measure": self._packs.most if pack.lanes is None else None,
        }


class PackScheduler(SweepScheduler):
    """Hands what each run of a pack reports to ``packs``, and tells the pack what is new."""

    def __init__(self, packs: Packs, sweep: Sweep, searcher: PackSearcher) -> None:
        super().__init__(sweep)
        self._packs = packs
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Write down the epochs; refill the lanes of runs that have ended; stop a pack without runs."""
        pack = self._packs.find(trial.config["key"])
        if pack is None:
            return super().on_trial_result(tune_controller, trial, result)
        with writing(self._sweep, result) as able:
            if able:
                change = self._packs.take(pack, result["lanes"], lanes=result.get("measured"))
                if not pack.runs:
                    return TrialScheduler.STOP
                self._tell(trial, pack, change)
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """A single run is over, or a pack that met a fault of the disk."""
        if self._packs.find(trial.config["key"]) is None:
            super().on_trial_complete(tune_controller, trial, result)
            return
        with writing(self._sweep, result):
            pass

    def _tell(self, trial: TuneTrial, pack: Pack, change: Change) -> None:
        if not (change.ended or change.started or trial.config["measure"]):
            return
        # Should its process be lost, the next one begins with these runs.
        trial.set_config(self._searcher.pack_config(pack))  # type: ignore[no-untyped-call]
        actor = trial.temporary_state.ray_actor
        if actor is not None:
            actor.change.remote(change.ended, [self._searcher.config(run) for run in change.started])

    def _give_up(self, trial: TuneTrial) -> None:
        pack = self._packs.find(trial.config["key"])
        if pack is None:
            super()._give_up(trial)
            return
        for key in pack.runs:
            self._sweep.hung.pop(key, None)  # it is tried again, alone
        self._packs.give_up(pack)

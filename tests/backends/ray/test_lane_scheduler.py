"""LaneGroups as Tune calls them, without a Ray."""

import dataclasses
import signal
from types import SimpleNamespace

import pytest
from tune_reg.backends.ray.lane_adapters import LaneGroupScheduler, LaneGroupSearcher, LaneGroupTrainable

from tune_reg import Study
from tune_reg.backends.ray.preemption import Preempted
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.search import pack_adapters


def study(**keys):
    plain = {
        "name": "adapters",
        "dataset": "digits",
        "model": "nn-2-small",
        "regularizers": ["weight-decay"],
        "training": {"epochs": 2, "batch_size": 64},
        "search": {"trials": 5, "pruner": "none"},
        "confirm": {"seeds": 1},
        "resources": {"lanes": 2},
    }
    return Study(**{**plain, **keys})


@dataclasses.dataclass
class Actor:
    """Of a pack in this process; its calls are made at once."""

    pack: LaneGroupTrainable

    @property
    def change(self):
        return SimpleNamespace(remote=self.pack.change)


@dataclasses.dataclass
class FakeTrial:
    config: dict
    actor: Actor | None = None
    status: str = "RUNNING"

    @property
    def temporary_state(self):
        return SimpleNamespace(ray_actor=self.actor)

    def set_config(self, config):
        self.config = config

    def get_error(self):
        return "RuntimeError: something broke"


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr("tune_reg.backends.ray.tune_adapters.own_node_lost", lambda _: False)

    def make(lanes=2, **keys):
        sweep = StudyController(study(**keys), tmp_path)
        packs = LaneGroups(sweep, LaneKeys(sweep.study), lanes=lanes)
        searcher = LaneGroupSearcher(packs, sweep, slots=lambda: 1, data_root=None)
        return sweep, packs, searcher, LaneGroupScheduler(packs, sweep, searcher)

    return make


def started(searcher, name="1"):
    config = searcher.suggest(name)
    pack = LaneGroupTrainable(dict(config))
    return FakeTrial(config, Actor(pack)), pack


def test_a_study_by_hand_comes_to_its_end(made):
    sweep, _, searcher, scheduler = made()
    trial, pack = started(searcher)
    decisions = [scheduler.on_trial_result(None, trial, pack.train()) for _ in range(8)]
    # Two epochs for each of 2, 2 and 1 lanes; then two and a test for the one that is confirmed.
    assert decisions == ["CONTINUE"] * 8
    assert scheduler.on_trial_result(None, trial, pack.train()) == "STOP"
    assert sweep.finished
    assert sweep.progress().tasks[0].done == 5
    searcher.on_trial_complete("1")
    assert searcher.suggest("2") == "FINISHED"


def test_a_process_takes_up_a_pack_or_a_single_run(made):
    sweep, _, searcher, _ = made()
    _, pack = started(searcher)
    assert len(pack.train()["lanes"]) == 2
    single = searcher.config(sweep.next())
    assert pack.reset(dict(single))
    assert [row["epoch"] for row in pack.train()["rows"]] == [1]
    other = searcher.config(sweep.next())
    assert pack.reset({"key": "pack-1", "lanes": [other], "measure": None})
    assert not hasattr(pack, "engine"), "what it trained before is still in memory"
    (report,) = pack.train()["lanes"]
    assert report["key"] == other["key"]


def test_a_pack_that_starts_anew_begins_with_the_runs_of_now(made):
    _, packs, searcher, scheduler = made()
    trial, pack = started(searcher)
    for _ in range(2):
        scheduler.on_trial_result(None, trial, pack.train())
    trial.status = "ERROR"  # Tune is about to start it anew
    scheduler.on_trial_error(None, trial)
    now = list(packs.find("pack-00000").runs)
    assert [config["key"] for config in trial.config["lanes"]] == now
    assert [key[-5:] for key in now] == ["00002", "00003"]
    again = LaneGroupTrainable(dict(trial.config))
    assert [report["key"] for report in again.train()["lanes"]] == now


def test_a_pack_that_is_given_up_leaves_its_runs_to_be_tried_alone(made):
    sweep, packs, searcher, scheduler = made()
    trial, pack = started(searcher)
    scheduler.on_trial_result(None, trial, pack.train())
    runs = list(packs.find("pack-00000").runs)
    sweep.hung = dict.fromkeys(runs, "no epoch within 8 s")
    scheduler.on_trial_error(None, trial)
    searcher.on_trial_complete("1", error=True)
    assert packs.find("pack-00000") is None
    assert sweep.hung == {}
    assert sweep.progress().tasks[0].failed == 0
    for number, key in enumerate(runs):
        config = searcher.suggest(f"alone-{number}")
        assert (config["key"], "lanes" in config) == (key, False)
        scheduler.on_trial_error(None, FakeTrial(config))
        searcher.on_trial_complete(f"alone-{number}", error=True)
    assert sweep.progress().tasks[0].failed == 2


def test_a_full_disk_ends_the_study_and_no_run(made, tmp_path):
    sweep, _, searcher, scheduler = made()
    trial, pack = started(searcher)
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    result = pack.train()
    assert result["done"]
    scheduler.on_trial_complete(None, trial, result)
    assert "cannot be written" in str(sweep.fatal)
    assert "make room and give the command again" in str(sweep.fatal)
    assert sweep.progress().tasks[0].failed == 0


def test_the_lanes_that_pay_are_measured_once_a_kind_and_process(made, monkeypatch):
    asked = []

    def lanes_that_pay(measure, *, most):
        asked.append(most)
        assert measure(1).rate > 0
        return 3

    monkeypatch.setattr(pack_adapters, "lanes_that_pay", lanes_that_pay)
    monkeypatch.setattr(LaneGroupTrainable, "_lanes", {})
    _, packs, searcher, scheduler = made(lanes=None, search={"trials": 6, "pruner": "none"})
    trial, pack = started(searcher)
    result = pack.train()
    assert (result["measured"], result["lanes"]) == (3, [])
    assert scheduler.on_trial_result(None, trial, result) == "CONTINUE"
    assert len(pack.train()["lanes"]) == len(packs.find("pack-00000").runs) == 3
    # Started anew it has nothing to measure; another pack of the kind in this process has it at hand.
    assert trial.config["measure"] is None
    assert pack.reset({"key": "another", "lanes": trial.config["lanes"][:1], "measure": 6})
    assert pack.train()["measured"] == 3
    assert asked == [6]


def test_a_pack_that_is_told_that_its_machine_goes_reports_its_epoch_and_then_leaves():
    pack = LaneGroupTrainable.__new__(LaneGroupTrainable)
    pack._changes, pack._most, pack._told = [], None, False
    pack._pack = SimpleNamespace(step=lambda: signal.raise_signal(signal.SIGTERM) or ["an epoch of each"])
    assert pack.step()["lanes"] == ["an epoch of each"]
    pack._pack = SimpleNamespace(step=lambda: pytest.fail("it trains on"))
    with pytest.raises(Preempted) as left:
        pack.step()
    assert left.value.preempted  # no failure, for Tune

"""LaneGroups shared out of a sweep, with epochs that are made up."""

import math
import random
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from tune_reg.backends.ray.tune_adapters import HangWatch

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroup, LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.store import Results

EPOCHS = 2


def study(**keys):
    plain = {
        "name": "packs",
        "dataset": "digits",
        "model": "nn-2-small",
        "regularizers": ["weight-decay", "adadecay"],
        "training": {"epochs": EPOCHS, "batch_size": 64},
        "search": {"trials": 6, "pruner": "none"},
        "confirm": {"seeds": 2},
    }
    return Study(**{**plain, **keys})


@pytest.fixture
def packs_of(tmp_path):
    def make(lanes=3, slots=1, **keys):
        sweep = StudyController(study(**keys), tmp_path)
        return sweep, LaneGroups(sweep, LaneKeys(sweep.study), lanes=lanes, slots=slots)

    return make


def row(epoch, accuracy=0.5):
    loss = 1.0 if math.isfinite(accuracy) else math.nan
    return {
        "epoch": epoch,
        "learning_rate": 0.1,
        "strength": 1e-4,
        "train_loss": loss,
        "val_loss": loss,
        "val_accuracy": accuracy,
        "wall_s": 0.25,
    }


def said(run, epochs=(1,), accuracy=0.5):
    """What a run has to say after ``epochs``."""
    diverged = not math.isfinite(accuracy)
    done = diverged or EPOCHS in epochs
    tested = done and run.stage == "confirm" and not diverged
    final = {"n_train": 1, "n_test": 1, "val_accuracy": 0.5, "test_accuracy": 0.5}
    rows = [row(epoch, accuracy) for epoch in epochs]
    return {"key": run.key, "rows": rows, "diverged": diverged, "done": done, **({"final": [final]} if tested else {})}


def all_done(run):
    return said(run, (1, 2))


def stored(directory, table="trials"):
    return Results(directory)._read(table).to_pylist()


def test_a_pack_is_filled_with_runs_of_one_kind_and_refilled_in_place(packs_of):
    sweep, packs = packs_of()
    pack = packs.next()
    assert [run.run.regularizer for run in pack.runs.values()] == ["weight-decay"] * 3
    first, second, third = pack.runs.values()
    change = packs.take(pack, [all_done(first), said(second), said(third)])
    assert change.ended == [first.key]
    assert [run.trial.number for run in change.started] == [3]
    assert list(pack.runs) == [second.key, third.key, change.started[0].key]
    # Search and confirmation of one regularizer on one training set are of one kind.
    while pack.runs:
        packs.take(pack, [all_done(run) for run in list(pack.runs.values())])
    assert packs.find(pack.name) is None
    assert sweep.progress().confirmed == 2
    assert {run.run.regularizer for run in packs.next().runs.values()} == {"adadecay"}


def test_a_lane_that_is_pruned_or_diverges_ends_alone(packs_of, tmp_path):
    _, packs = packs_of(search={"trials": 6, "pruner": "asha", "reduction_factor": 2}, regularizers=["weight-decay"])
    pack = packs.next()
    good, bad, lost = pack.runs.values()
    change = packs.take(pack, [said(good, accuracy=0.9), said(bad, accuracy=0.1), said(lost, accuracy=math.nan)])
    assert change.ended == [bad.key, lost.key]
    assert [run.trial.number for run in change.started] == [3, 4]
    assert {row["trial"]: row["state"] for row in stored(tmp_path)} == {1: "pruned", 2: "diverged"}
    assert stored(tmp_path)[1]["reason"] == "the loss is not finite in epoch 1"


def test_what_comes_twice_counts_once(packs_of):
    """A pack that was killed says again what its runs did before."""
    sweep, packs = packs_of()
    pack = packs.next()
    first, *others = pack.runs.values()
    packs.take(pack, [said(run) for run in pack.runs.values()])
    again = packs.take(pack, [said(run, (1, 2)) for run in (first, *others)])
    assert again.ended == [run.key for run in (first, *others)]
    late = packs.take(pack, [all_done(first)])
    assert late.ended == []
    assert sweep.progress().epochs == 6


@pytest.mark.parametrize(
    ("slots", "lanes", "sizes"),
    [
        (1, 4, [4, 4]),
        (2, 8, [6, 6]),  # 12 runs are open: 6 for each of two
        (4, 8, [3, 3, 3, 3]),
        (12, 8, [1] * 12),
        (50, 8, [1] * 12),
        (2, 2, [2, 2]),
    ],
)
def test_runs_are_shared_out_among_the_slots(packs_of, slots, lanes, sizes):
    _, packs = packs_of(lanes=lanes, slots=slots)
    packs_made = [packs.next() for _ in range(len(sizes))]
    assert [len(pack.runs) for pack in packs_made] == sizes


def test_the_last_runs_are_left_to_the_others(packs_of):
    sweep, packs = packs_of(lanes=6, slots=2, regularizers=["weight-decay"], search={"trials": 8, "pruner": "none"})
    pack, other = packs.next(), packs.next()
    assert (len(pack.runs), len(other.runs)) == (4, 4)
    packs.take(other, [all_done(run) for run in list(other.runs.values())])
    packs.take(pack, [all_done(run) for run in list(pack.runs.values())])
    # Two confirmed runs are left for two slots.
    assert not other.runs
    assert [run.stage for run in pack.runs.values()] == ["confirm"]
    assert [run.stage for run in packs.next().runs.values()] == ["confirm"]
    assert packs.next() is None
    assert not sweep.finished


def test_what_cannot_be_a_lane_trains_alone_in_the_same_study(packs_of):
    regularizers = {
        "weight-decay": {},
        "residual-smoothing": {"annealing": ["laplace", "logistic"]},
        "adam": {"regularizer": "decoupled-weight-decay", "optimizer": "adam"},
    }
    _, packs = packs_of(regularizers=regularizers)
    upcoming = [packs.next() for _ in range(3)]
    assert [type(each).__name__ for each in upcoming] == ["LaneGroup", "StudyRun", "StudyRun"]
    assert [each.run.regularizer for each in upcoming[1:]] == ["residual-smoothing", "decoupled-weight-decay"]


def test_attacks_alone_need_no_lanes(packs_of, tmp_path):
    sweep, packs = packs_of(regularizers=["weight-decay"])
    drive(sweep, packs)
    again = StudyController(
        study(regularizers=["weight-decay"], robustness={"fgsm": [0.1]}), tmp_path, attacks_only=True
    )
    run = LaneGroups(again, LaneKeys(again.study), lanes=3).next()
    assert (run.stage, again.open_runs()) == ("attack", 2)


def test_a_pack_that_is_given_up_is_tried_run_by_run(packs_of):
    sweep, packs = packs_of()
    pack = packs.next()
    runs = list(pack.runs.values())
    change = packs.take(pack, [all_done(runs[0]), said(runs[1]), said(runs[2])])
    packs.give_up(pack)
    assert packs.find(pack.name) is None
    assert [packs.next() for _ in range(3)] == [*runs[1:], *change.started]
    assert all(sweep.is_live(run.key) for run in (*runs[1:], *change.started))
    # It trained: lanes as such are not to blame.
    assert isinstance(packs.next(), LaneGroup)


def test_where_a_pack_never_trained_its_kind_trains_alone(packs_of):
    _, packs = packs_of()
    pack = packs.next()
    packs.give_up(pack)
    assert [packs.next() for _ in range(3)] == list(pack.runs.values())
    # Of the other kind three are asked for in turn, and then those of the first again, but alone.
    assert {run.run.regularizer for run in packs.next().runs.values()} == {"adadecay"}
    rest = [packs.next() for _ in range(4)]
    alone = [each for each in rest if not isinstance(each, LaneGroup)]
    assert [run.run.regularizer for run in alone] == ["weight-decay"] * 3


def test_a_pack_whose_lanes_are_measured_begins_with_one(packs_of):
    _, packs = packs_of(lanes=None)
    pack = packs.next()
    assert (len(pack.runs), packs.most) == (1, 6)
    change = packs.take(pack, [], lanes=4)
    assert (change.ended, len(change.started), len(pack.runs)) == ([], 3, 4)


def test_where_one_lane_is_measured_to_be_best_runs_train_alone(packs_of):
    _, packs = packs_of(lanes=None, regularizers=["weight-decay"])
    pack = packs.next()
    (run,) = pack.runs.values()
    packs.take(pack, [], lanes=1)
    assert (pack.runs, packs.find(pack.name)) == ({}, None)
    assert packs.next() == run
    assert [packs.next().trial.number for _ in range(5)] == [1, 2, 3, 4, 5]


def test_interrupted_runs_of_its_kind_come_into_a_pack_first(packs_of, tmp_path):
    sweep, _ = packs_of()
    begun = [sweep.next() for _ in range(4)]  # two of each kind, and the driver is killed
    again = StudyController(study(), tmp_path)
    assert again.open_runs() == 12
    packs = LaneGroups(again, LaneKeys(again.study), lanes=3)
    first, second = packs.next(), packs.next()
    for pack, kind in ((first, "weight-decay"), (second, "adadecay")):
        assert [run.trial.number for run in pack.runs.values()] == [0, 1, 2]
        assert list(pack.runs)[:2] == [run.key for run in begun if run.run.regularizer == kind]
    assert again.open_runs() == 12


def drive(sweep, packs, drawn=None, accuracy=lambda run: 0.5, slots=1):
    """Everything to its end, with up to ``slots`` packs and single runs at a time."""
    running = []
    while not sweep.finished:
        while len(running) < slots and (upcoming := packs.next()) is not None:
            running.append([upcoming, {}])
        assert running, "nothing can start, but the sweep is not finished"
        at = drawn.randrange(len(running)) if drawn else 0
        each, epochs = running[at]
        if isinstance(each, LaneGroup):
            reports = []
            for run in list(each.runs.values()):
                epochs[run.key] = epochs.get(run.key, 0) + 1
                reports.append(said(run, range(1, epochs[run.key] + 1), accuracy(run)))
            packs.take(each, reports)
            over = not each.runs
            if drawn and not over and drawn.random() < 0.1:
                packs.give_up(each)
                over = True
        else:
            report = all_done(each)
            if not sweep.on_epochs(each.key, report["rows"]):
                sweep.end(each.key, "complete", final=report.get("final", [None])[0])
            over = True
        if over:
            running.pop(at)


@pytest.mark.parametrize("seed", range(8))
def test_every_run_is_trained_once_whatever_ends_first(tmp_path, seed):
    """Any number of lanes and slots, any order, packs that fail in between, runs that diverge or are pruned."""
    drawn = random.Random(seed)
    keys = {
        "search": {"trials": 7, "reduction_factor": 2, "sampler": "random", "seeds": drawn.choice([1, 2])},
        "fractions": [0.5, 1.0],
    }
    sweep = StudyController(study(**keys), tmp_path)
    slots = drawn.randint(1, 4)
    packs = LaneGroups(sweep, LaneKeys(sweep.study), lanes=drawn.randint(1, 9), slots=slots)
    fate = {}

    def accuracy(run):
        return fate.setdefault(run.key, math.nan if drawn.random() < 0.1 else drawn.random())

    drive(sweep, packs, drawn, accuracy, slots)
    trials = stored(tmp_path)
    expected = [(name, n) for name in ("adadecay", "weight-decay") for n in range(7)]
    assert sorted((t["regularizer"], t["trial"]) for t in trials) == expected
    final = [(f["regularizer"], f["fraction"], f["seed"]) for f in stored(tmp_path, "final")]
    assert len(set(final)) == len(final) == 8
    assert sweep.open_runs() == 0


def test_a_hanging_pack_has_time_for_each_of_its_runs_and_all_are_named(packs_of, monkeypatch):
    sweep, _ = packs_of(resources={"epoch_timeout_s": 10.0, "lanes": 3})
    ended = []
    monkeypatch.setattr("ray.kill", ended.append)
    now = 0.0
    watch = HangWatch(sweep, clock=lambda: now)
    config = {"key": "pack-00000", "lanes": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}
    state = SimpleNamespace(ray_actor="its process")
    pack = Mock(status="RUNNING", config=config, temporary_state=state)
    watch.on_trial_start(0, [pack], pack)
    now = 29.0
    watch.on_step_begin(1, [pack])
    assert (ended, sweep.hung) == ([], {})
    now = 31.0
    watch.on_step_begin(2, [pack])
    watch.on_step_begin(3, [pack])
    assert ended == ["its process"]
    assert sweep.hung == dict.fromkeys("abc", "no epoch within 30 s")


def test_a_run_that_reports_or_has_ended_does_not_hang(packs_of, monkeypatch):
    sweep, _ = packs_of(resources={"epoch_timeout_s": 10.0})
    ended = []
    monkeypatch.setattr("ray.kill", ended.append)
    now = 0.0
    watch = HangWatch(sweep, clock=lambda: now)
    reports, over = (
        Mock(status="RUNNING", config={"key": key}, temporary_state=SimpleNamespace(ray_actor=key)) for key in "ab"
    )
    for run in (reports, over):
        watch.on_trial_start(0, [], run)
    now = 9.0
    watch.on_trial_result(1, [], reports, {})
    over.status = "TERMINATED"
    now = 18.0
    watch.on_step_begin(2, [])
    assert ended == []
    now = 20.0
    watch.on_step_begin(3, [])
    assert ended == ["a"]

"""An engine whose lanes were given other runs trains them as a new one does, and captures nothing anew."""

import weakref

import pytest
import torch

from tests.training.lanes.test_engine import run_of, side_by_side
from tests.training.test_cuda_graphs import Recorded, assert_identical

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)


def train_to_the_end(engine):
    while not engine.finished:
        engine.train_epoch()
    return engine


def engine_of(tiny, runs):
    return side_by_side(tiny, runs, torch.float32)


def used(tiny, name, training):
    """An engine of three lanes whose runs have ended one after the other, the one in a refilled lane by diverging."""
    runs = [run_of(name, lane, training={"epochs": epochs, **training}) for lane, epochs in enumerate((4, 3, 3))]
    engine = engine_of(tiny, runs)
    engine.train_epoch()
    engine.train_epoch()
    engine.replace(1, run_of(name, 1, training={"epochs": 3, **training, "learning_rate": 1e30}))
    train_to_the_end(engine)
    assert [(lane.epoch, lane.diverged) for lane in engine.lanes] == [(4, False), (1, True), (3, False)]
    return engine


def of_the_second_group(name, lanes, training):
    return [run_of(name, lane, seed=5 + lane, training=training) for lane in range(lanes)]


def replace_all(engine, runs):
    for lane in range(len(engine.lanes)):
        engine.rest(lane)
    for lane, run in enumerate(runs):
        engine.replace(lane, run)
    return engine


@pytest.mark.parametrize("lanes", [3, 2])
@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("constrained-parameters+adaptive-weight-decay", {}),
        ("sparse-gradients", {}),
        ("dropout+noise-injection", {}),
        ("weight-decay", {"optimizer": "adam"}),
        ("adadecay", {"optimizer": "entropy-sgd", "batch_size": 6}),
        ("l1", {"batch_size_schedule": {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}}),
    ],
)
def test_runs_in_a_used_engine_are_those_in_a_new_one(tiny, name, training, lanes):
    runs = of_the_second_group(name, lanes, {"epochs": 4, **training})
    fresh = train_to_the_end(engine_of(tiny, runs))
    again = replace_all(used(tiny, name, training), runs)
    train_to_the_end(again)
    again.lanes = again.lanes[:lanes]
    assert_identical(again, fresh)


@pytest.mark.parametrize("name", ["constrained-parameters+adaptive-weight-decay", "dropout+noise-injection"])
def test_a_second_group_of_as_many_lanes_captures_nothing(tiny, name, monkeypatch):
    runs = of_the_second_group(name, 3, {"epochs": 4})
    fresh = train_to_the_end(engine_of(tiny, runs))
    graphs = Recorded()
    monkeypatch.setattr("tune_reg.training.lanes.engine.graphs_for", lambda device: graphs)
    monkeypatch.setattr("tune_reg.training.cuda_graphs.WARM_UP", 1)
    again = replace_all(used(tiny, name, {}), runs)
    captured, replayed = graphs.captured, graphs.replayed
    # Batches of 11 and 6 images in training, of 11 and 9 in validation, of three lanes; then of 11 of one lane.
    assert captured == 5
    train_to_the_end(again)
    assert graphs.captured == captured
    # In each of four epochs, five batches in training and two in validation.
    assert graphs.replayed == replayed + 4 * (5 + 2)
    assert_identical(again, fresh)


def test_of_the_steps_of_all_lanes_the_last_are_kept(tiny):
    doubled = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}
    training = {"batch_size_schedule": doubled}
    runs = [run_of("l1", lane, training={"epochs": 4 + 2 * lane, **training}) for lane in range(2)]
    engine, kept = engine_of(tiny, runs), []
    while not engine.finished:
        engine.train_epoch()
        kept.append(sorted(engine._programs))
    # A batch size, and the number of lanes.
    assert kept == [
        [(11, 2)],
        [(11, 2)],
        [(11, 1), (11, 2), (22, 1)],
        [(22, 2)],
        [(22, 1), (22, 2)],
        [(22, 1), (22, 2)],
    ]
    replace_all(engine, runs)
    engine.train_epoch()
    assert sorted(engine._programs) == [(11, 2)]


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_program_that_is_dropped_gives_its_memory_back_at_once(tiny, monkeypatch, without_collection, one_pass):
    monkeypatch.setattr(
        "tune_reg.training.lanes.step.fused_adadecay", lambda *_: (lambda *_, **__: None) if one_pass else None
    )
    engine = engine_of(tiny, [run_of("adadecay-randomized", lane) for lane in range(2)])
    engine.train_epoch()
    (program,) = engine._programs.values()
    dropped = weakref.ref(program.step), weakref.ref(program.inputs)
    engine._programs.clear()
    del program
    assert [reference() for reference in dropped] == [None, None]

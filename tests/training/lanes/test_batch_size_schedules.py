"""Lanes whose batch sizes have schedules, against single runs in float64."""

import pytest
import torch

from tests.training.lanes.test_engine import (
    LEARNING_RATES,
    assert_nearly_equal,
    check_against_single_runs,
    run_of,
    serial,
    side_by_side,
    train,
)
from tests.training.test_cuda_graphs import Recorded, assert_identical
from tune_reg.training import checkpoint

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)

HALVED = {"kind": "steps", "factor": 0.5, "every": 0.5}
#: Of each lane. The largest size is 22 in each.
SCHEDULES = (
    {
        "epochs": 4,
        "batch_size": 22,
        "batch_size_schedule": {"kind": "warm-restarts", "schedule": HALVED, "boundaries": [0.6]},
        "learning_rate_schedule": {"kind": "warm-restarts", "schedule": "cosine", "boundaries": [0.6]},
    },
    {
        "epochs": 5,
        "batch_size": 11,
        "batch_size_schedule": {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]},
    },
    {"epochs": 6, "batch_size": 22},
)
#: The batch sizes by epoch that they give.
SIZES = ([22, 11, 22, 11], [11, 11, 22, 22, 22], [22] * 6)


def scheduled(name, lane, **training):
    """A run of 50 images whose batch sizes are ``SIZES[lane]``."""
    return run_of(name, lane, training={**SCHEDULES[lane], **training})


def test_the_schedules_are_unlike():
    assert tuple(scheduled("l1", lane).settings.batch_sizes() for lane in range(3)) == SIZES


@pytest.mark.parametrize(
    "name",
    [
        "weight-decay",
        "hsfob",
        "adadecay+dropout",
        "sparse-gradients",
        "mixup+noise-injection",
        "constrained-parameters+adaptive-weight-decay",
    ],
)
def test_lanes_with_schedules_equal_single_runs(tiny, name):
    """Through all batch sizes; lanes begin at epochs 0, 1 and 0."""
    check_against_single_runs(tiny, [scheduled(name, lane) for lane in range(3)], epochs=3)


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_lanes_with_schedules_and_every_optimizer_equal_single_runs(tiny, optimizer):
    settings = {"optimizer": optimizer, "learning_rate": LEARNING_RATES[optimizer]}
    check_against_single_runs(tiny, [scheduled("weight-decay", lane, **settings) for lane in range(3)], epochs=3)


def test_lanes_that_are_not_validated_after_every_epoch_equal_single_runs(tiny):
    check_against_single_runs(tiny, [scheduled("l1", lane, validate_every=2) for lane in range(3)], epochs=3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_run_goes_over_between_lanes_and_a_single_run_in_the_middle_of_its_schedule(tiny, optimizer, tmp_path):
    settings = {"optimizer": optimizer, "learning_rate": 1e-3}
    run = scheduled("weight-decay", 0, **settings)
    engine = train(side_by_side(tiny, [run, scheduled("weight-decay", 1, **settings)]), 1)
    checkpoint.save(tmp_path, 1, engine.state(0))
    single = serial(run, tiny)
    single.load_state(checkpoint.load_newest(tmp_path))
    checkpoint.save(tmp_path, 2, train(single, 1).state())
    engine.replace(1, run, checkpoint.load_newest(tmp_path))
    assert [lane.batch_size for lane in engine.lanes] == [11, 22]
    train(engine, 2)
    assert_nearly_equal(engine.state(0), serial(run, tiny, 3).state())
    assert_nearly_equal(engine.state(1), serial(run, tiny, 4).state())


def test_neither_neighbours_nor_their_batch_sizes_matter(tiny):
    """A lane is replaced while the others are in the middle of their schedules."""
    runs = [scheduled("adadecay+dropout", lane) for lane in range(3)]
    undisturbed = train(side_by_side(tiny, runs), 4)
    engine = train(side_by_side(tiny, runs), 1)
    late = run_of("adadecay+dropout", 1, seed=7, training=SCHEDULES[0])
    engine.replace(1, late)
    train(engine, 3)
    assert_nearly_equal(engine.state(1), serial(late, tiny, 3).state())
    for lane in (0, 2):
        assert_nearly_equal(engine.state(lane), undisturbed.state(lane), weights=1e-12, buffers=1e-12)


def test_only_the_steps_of_the_epoch_and_those_of_all_lanes_are_kept(tiny):
    engine = side_by_side(tiny, [scheduled("l1", lane) for lane in range(3)])
    kept = []
    for _ in range(6):
        engine.train_epoch()
        kept.append(sorted(engine._programs))
    # A batch size, and the number of lanes.
    assert kept == [
        [(11, 1), (22, 2)],
        [(11, 2), (22, 1)],
        [(22, 3)],
        [(11, 1), (22, 2), (22, 3)],
        [(22, 2), (22, 3)],
        [(22, 1), (22, 3)],
    ]


def test_validation_takes_no_larger_batches_than_training_ever_does(tiny):
    run = run_of("l1", 0, protocol="paper", training={**SCHEDULES[1], "batch_size": 4})
    engine = train(side_by_side(tiny, [run]), 1)
    (program,) = engine._programs.values()
    assert program.inputs.batch == 4
    assert program.scores.sizes == [8, 8, 8, 6]


def test_steps_of_several_batch_sizes_are_replayed_as_graphs(tiny, monkeypatch):
    runs = [scheduled("noise-injection", lane) for lane in range(3)]
    eager = train(side_by_side(tiny, runs, torch.float32), 4)
    graphs = Recorded()
    monkeypatch.setattr("tune_reg.training.lanes.engine.graphs_for", lambda device: graphs)
    monkeypatch.setattr("tune_reg.training.cuda_graphs.WARM_UP", 1)
    replayed = train(side_by_side(tiny, runs, torch.float32), 4)
    assert graphs.replayed > graphs.captured > 4
    assert_identical(replayed, eager)

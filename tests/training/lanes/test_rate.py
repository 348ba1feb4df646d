"""The rate and memory of lanes, measured on this CPU as far as that goes."""

import pytest
import torch

from tests.training.test_cuda_graphs import Recorded
from tune_reg.data import load
from tune_reg.training import LaneEngine, Run, TrainingSettings
from tune_reg.training.lanes import measured
from tune_reg.training.lanes.rate import _part, _untimed, filled


@pytest.mark.parametrize(
    ("available", "share", "full"),
    [
        (100, 1.0, 0.1),
        (100, 0.25, 0.4),  # a quarter of the device is the worker's
        (20, 1.0, 0.5),  # others hold the rest
        (20, 0.25, 0.5),
        (0, 1.0, float("inf")),
    ],
)
def test_a_worker_fills_its_share_of_the_device_or_what_others_leave(available, share, full):
    assert filled(10, available, 100, share) == full


KEYS = ({"protocol": "paper"}, {"fraction": 0.1}, {"images_per_class": 5})


@pytest.mark.parametrize(
    ("regularizer", "keys"),
    [
        ("l1", {}),
        ("hsfob", {}),
        *(("l1", keys) for keys in KEYS),
        # The penalty and the training sets, each by itself above, together.
        *(pytest.param("hsfob", keys, marks=pytest.mark.slow) for keys in KEYS),
    ],
)
def test_the_rate_of_lanes_is_measured_whatever_the_run(regularizer, keys):
    run = Run("digits", "nn-2-small", regularizer, training=TrainingSettings(epochs=1, batch_size=16), **keys)
    state = torch.random.get_rng_state()
    for lanes in (1, 3):
        rate, memory = measured(run, lanes, load("digits"), torch.device("cpu"))
        assert 0.1 < rate < 1e5
        assert memory == 0.0
    assert torch.random.get_rng_state().equal(state)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_run_that_diverges_at_once_is_measured_like_any_other(lanes):
    """Nothing left to train would look quick."""
    training = TrainingSettings(epochs=1, batch_size=16)
    rates = [
        measured(
            Run("digits", "nn-2-small", "l1", {"learning_rate": rate}, training),
            lanes,
            load("digits"),
            torch.device("cpu"),
        ).rate
        for rate in (0.01, 1e30)
    ]
    assert rates[1] < 20 * rates[0]


def test_twice_the_lanes_of_a_small_net_have_a_rate_of_the_same_size():
    """A unit mixed up, or lanes not counted, would be off by more."""
    run = Run("digits", "nn-2-small", "l1", training=TrainingSettings(epochs=1, batch_size=32))
    one, four = (measured(run, lanes, load("digits"), torch.device("cpu")).rate for lanes in (1, 4))
    assert 0.15 < four / one < 7


@pytest.mark.parametrize(
    ("batch", "keys", "passes"),
    [
        (32, {}, 1),
        (16, {"protocol": "paper"}, 1),
        (32, {"fraction": 0.1, "optimizer": "entropy-sgd"}, 1),
        (128, {}, 4),  # fewer images than 20 steps: the last batch of a pass is smaller
    ],
)
def test_all_is_captured_after_the_passes_that_are_not_timed(batch, keys, passes, monkeypatch):
    graphs = Recorded()
    monkeypatch.setattr("tune_reg.training.lanes.engine.graphs_for", lambda device: graphs)
    training = TrainingSettings(epochs=9, batch_size=batch, optimizer=keys.pop("optimizer", "sgd"))
    part, whole = _part(load("digits"), Run("digits", "nn-2-small", "l1", training=training, **keys))
    engine = LaneEngine([whole] * 2, dataset=part)
    assert _untimed(engine) == passes
    for _ in range(passes):
        engine.train_epoch()
    captured = graphs.captured
    assert captured >= 2
    engine.train_epoch()
    assert graphs.captured == captured


def test_the_largest_batch_of_a_schedule_is_measured():
    doubled = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}
    run = Run(
        "digits", "nn-2-small", "l1", training=TrainingSettings(epochs=4, batch_size=8, batch_size_schedule=doubled)
    )
    _, whole = _part(load("digits"), run)
    assert whole.settings.batch_sizes() == [16] * 4

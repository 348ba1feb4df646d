"""How many lanes pay, on made-up devices and, as far as it goes, on this CPU."""

import pytest
import torch

from tune_reg import data
from tune_reg.training import Run, TrainingSettings
from tune_reg.training.lanes.count import Measured, lanes_that_pay
from tune_reg.training.lanes.rate import filled, measured


def device(*, width, each, fixed=0.0):
    """Up to ``width`` lanes cost no more time than one; each takes memory, beside what is fixed."""
    asked = []

    def measure(lanes):
        asked.append(lanes)
        return Measured(10.0 * min(lanes, width), fixed + each * lanes)

    return measure, asked


@pytest.mark.parametrize(
    ("width", "each", "fixed", "most", "lanes"),
    [
        (1, 0.001, 0.0, 64, 1),  # a CPU
        (8, 0.001, 0.0, 64, 8),
        (9, 0.001, 0.0, 64, 16),  # from 8 to 16 it still grows by an eighth
        (8.5, 0.001, 0.0, 64, 8),  # by a sixteenth
        (1000, 0.001, 0.0, 64, 64),
        (1000, 0.001, 0.0, 63, 32),
        (1000, 0.001, 0.0, 1, 1),
        (1000, 0.1, 0.0, 64, 8),
        (1000, 0.01, 0.5, 64, 16),  # 0.5 + 0.32 passes 0.8
        (1000, 0.9, 0.0, 64, 1),
    ],
)
def test_lanes_are_doubled_while_it_pays_and_fits(width, each, fixed, most, lanes):
    measure, asked = device(width=width, each=each, fixed=fixed)
    assert lanes_that_pay(measure, most=most) == lanes
    assert asked == [2**i for i in range(len(asked))]
    assert max(asked) <= most


def test_memory_that_would_not_do_is_not_tried():
    measure, asked = device(width=1000, each=0.05)
    assert lanes_that_pay(measure, most=1024) == 16
    assert max(asked) == 16


def test_what_did_not_fit_after_all_is_not_taken():
    def measure(lanes):
        return Measured(0.0, float("inf")) if lanes > 4 else Measured(10.0 * lanes, 0.01 * lanes)

    assert lanes_that_pay(measure, most=64) == 4


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


def test_memory_of_a_device_bounds_the_lanes():
    """Half a device of 80, of which others hold 50: so 30 of it, four fifths of which are 24; a lane takes 2, all 1."""

    def measure(lanes):
        return Measured(10.0 * lanes, filled(1 + 2 * lanes, 30, 80, 0.5))

    assert lanes_that_pay(measure, most=1024) == 8


@pytest.mark.parametrize("keys", [{}, {"protocol": "paper"}, {"fraction": 0.1}, {"images_per_class": 5}])
@pytest.mark.parametrize("regularizer", ["l1", "hsfob"])
def test_the_rate_of_lanes_is_measured_whatever_the_run(regularizer, keys):
    run = Run("digits", "nn-2-small", regularizer, training=TrainingSettings(epochs=1, batch_size=16), **keys)
    state = torch.random.get_rng_state()
    for lanes in (1, 3):
        rate, memory = measured(run, lanes, data.load("digits"), torch.device("cpu"))
        assert 0.1 < rate < 1e5
        assert memory == 0.0
    assert torch.random.get_rng_state().equal(state)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_run_that_diverges_at_once_is_measured_like_any_other(lanes):
    """Nothing left to train would look quick."""
    training = TrainingSettings(epochs=1, batch_size=16)
    rates = [
        measured(
            Run("digits", "nn-2", "l1", {"learning_rate": rate}, training),
            lanes,
            data.load("digits"),
            torch.device("cpu"),
        ).rate
        for rate in (0.01, 1e30)
    ]
    assert rates[1] < 20 * rates[0]


def test_twice_the_lanes_of_a_small_net_have_a_rate_of_the_same_size():
    """A unit mixed up, or lanes not counted, would be off by more."""
    run = Run("digits", "nn-2", "l1", training=TrainingSettings(epochs=1, batch_size=32))
    one, four = (measured(run, lanes, data.load("digits"), torch.device("cpu")).rate for lanes in (1, 4))
    assert 0.15 < four / one < 7

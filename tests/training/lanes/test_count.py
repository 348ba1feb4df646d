"""How many lanes pay, on simulated devices."""

import pytest

from tune_reg.training.lanes import Measured, lanes_that_pay
from tune_reg.training.lanes.rate import filled


def device(*, width, each, fixed=0.0):
    """A measure of a simulated device, and the list of the numbers of lanes that were measured.

    Up to ``width`` lanes take as much time as one; each lane takes the memory ``each``, and all together ``fixed``.
    """
    numbers = []

    def measure(lanes):
        numbers.append(lanes)
        return Measured(10.0 * min(lanes, width), fixed + each * lanes)

    return measure, numbers


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
    measure, numbers = device(width=width, each=each, fixed=fixed)
    assert lanes_that_pay(measure, most=most) == lanes
    assert numbers == [2**i for i in range(len(numbers))]
    assert max(numbers) <= most


@pytest.mark.parametrize(
    ("width", "each", "begin", "numbers"),
    [
        (8, 0.001, 8, [1, 4, 8, 16]),
        (32, 0.001, 8, [1, 4, 8, 16, 32, 64]),
        (2, 0.001, 8, [1, 2, 4, 8]),  # 8 lanes do not pay
        (1000, 0.15, 8, [1, 2, 4, 8]),  # nor do they fit
        (1000, 0.05, 8, [1, 4, 8, 16]),  # twice as many would not fit from there
        (8, 0.001, 64, [1, 2, 4, 8, 16, 32, 64]),
    ],
)
def test_doubling_that_begins_elsewhere_ends_where_it_ends_from_one(width, each, begin, numbers):
    measure, asked = device(width=width, each=each)
    from_one, _ = device(width=width, each=each)
    assert lanes_that_pay(measure, most=64, begin=begin) == lanes_that_pay(from_one, most=64)
    assert sorted(asked) == numbers


def test_lanes_that_would_not_fit_into_memory_are_not_tried():
    measure, numbers = device(width=1000, each=0.05)
    assert lanes_that_pay(measure, most=1024) == 16
    assert max(numbers) == 16


def test_lanes_that_do_not_fit_after_all_are_not_taken():
    def measure(lanes):
        return Measured(0.0, float("inf")) if lanes > 4 else Measured(10.0 * lanes, 0.01 * lanes)

    assert lanes_that_pay(measure, most=64) == 4


def test_memory_of_a_device_bounds_the_lanes():
    """Half a device of 80, of which others hold 50: so 30 of it, four fifths of which are 24; a lane takes 2, all 1."""

    def measure(lanes):
        return Measured(10.0 * lanes, filled(1 + 2 * lanes, 30, 80, 0.5))

    assert lanes_that_pay(measure, most=1024) == 8

"""How many lanes pay, from measurements of a few numbers of lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

#: The share by which twice as many lanes must raise the rate.
GAIN: Final = 0.1
#: The share of its memory that a worker may fill.
MEMORY: Final = 0.8


class Measured(NamedTuple):
    """Rate and memory of a number of lanes: epochs of single runs a second, and the share of the worker's memory."""

    rate: float
    memory: float


def lanes_that_pay(measure: Callable[[int], Measured], *, most: int, gain: float = GAIN, memory: float = MEMORY) -> int:
    """The number of lanes, 1 or a power of two up to ``most``, beyond which twice as many no longer pay.

    The number is doubled from 1 until the rate grows by less than ``gain`` of itself, or the memory of twice as many
    lanes, extrapolated in a straight line, would pass ``memory``. ``measure`` is asked once for each number.

    >>> lanes_that_pay(lambda lanes: Measured(min(lanes, 6) * 10.0, 0.01 * lanes), most=64)
    8
    >>> lanes_that_pay(lambda lanes: Measured(lanes * 10.0, 0.1 * lanes), most=64)
    8
    """
    lanes, current = 1, measure(1)
    half = current  # one measurement alone does not say what more lanes need
    while 2 * lanes <= most:
        if current.memory + 2 * (current.memory - half.memory) > memory:
            break
        twice = measure(2 * lanes)
        if twice.memory > memory or twice.rate < (1 + gain) * current.rate:
            break
        lanes, half, current = 2 * lanes, current, twice
    return lanes

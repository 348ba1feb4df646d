"""How many lanes pay, from measurements of a few numbers of lanes."""

from __future__ import annotations

import functools
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


def lanes_that_pay(
    measure: Callable[[int], Measured], *, most: int, begin: int = 1, gain: float = GAIN, memory: float = MEMORY
) -> int:
    """The number of lanes, 1 or a power of two up to ``most``, beyond which twice as many no longer pay.

    The number is doubled from 1 until the rate grows by less than ``gain`` of itself, or the memory of twice as many
    lanes, extrapolated in a straight line, would pass ``memory``. ``begin``, a power of two: doubling begins there
    where so many lanes fit and pay against half as many; else it begins at 1. ``measure`` is asked once for each
    number.

    >>> lanes_that_pay(lambda lanes: Measured(min(lanes, 6) * 10.0, 0.01 * lanes), most=64)
    8
    >>> lanes_that_pay(lambda lanes: Measured(lanes * 10.0, 0.1 * lanes), most=64)
    8
    """
    measure = functools.cache(measure)

    def pay(lanes: int, half: Measured) -> bool:
        return measure(lanes).memory <= memory and measure(lanes).rate >= (1 + gain) * half.rate

    lanes, half, current = 1, measure(1), measure(1)  # one measurement alone does not say what more lanes need
    if 1 < begin <= most and pay(begin, measure(begin // 2)):
        lanes, half, current = begin, measure(begin // 2), measure(begin)
    while 2 * lanes <= most:
        # From half as many lanes to these, memory grew by half of what it grows by to twice as many.
        if current.memory + 2 * (current.memory - half.memory) > memory or not pay(2 * lanes, current):
            break
        lanes, half, current = 2 * lanes, current, measure(2 * lanes)
    return lanes

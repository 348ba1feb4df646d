"""How many lanes pay, by what is measured of a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

#: Twice the lanes must bring at least so much more.
GAIN: Final = 0.1
#: The share of its memory that a worker may fill.
MEMORY: Final = 0.8


class Measured(NamedTuple):
    """What a number of lanes does: epochs of single runs a second, and the share of the worker's memory it needs."""

    rate: float
    memory: float


def lanes_that_pay(measure: Callable[[int], Measured], *, most: int, gain: float = GAIN, memory: float = MEMORY) -> int:
    """The lanes, 1 or a power of two up to ``most``, beyond which twice as many no longer pay.

    They are doubled from 1 until the rate grows by less than ``gain`` of itself, or the memory of twice as many, going
    up in a straight line, would pass ``memory``. ``measure`` is asked once for each number.

    >>> lanes_that_pay(lambda lanes: Measured(min(lanes, 6) * 10.0, 0.01 * lanes), most=64)
    8
    >>> lanes_that_pay(lambda lanes: Measured(lanes * 10.0, 0.1 * lanes), most=64)
    8
    """
    lanes, now = 1, measure(1)
    before = now  # of half the lanes; what more lanes need is not known of one alone
    while 2 * lanes <= most:
        if now.memory + 2 * (now.memory - before.memory) > memory:
            break
        twice = measure(2 * lanes)
        if twice.memory > memory or twice.rate < (1 + gain) * now.rate:
            break
        lanes, before, now = 2 * lanes, now, twice
    return lanes

"""The epochs at which a search decides anew, and at which the model of final values reads a training."""

from __future__ import annotations

import math


def rungs(epochs: int, *, first: int | None = None, factor: int = 3) -> tuple[int, ...]:
    """The rungs of trainings of ``epochs`` epochs, the last one their end.

    ``first``: the first rung, from which each one is ``factor`` times as far as the one before; where it is None, there
    is one at a third of the epochs.

    >>> rungs(27), rungs(27, first=3), rungs(1)
    ((9, 27), (3, 9, 27), (1,))
    """
    if first is None:
        return tuple(sorted({math.ceil(epochs / 3), epochs}))
    rung, before_the_end = first, []
    while rung < epochs:
        before_the_end.append(rung)
        rung *= factor
    return (*before_the_end, epochs)

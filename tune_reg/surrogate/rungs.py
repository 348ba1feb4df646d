"""The epochs at which a search decides anew, and at which the model of final values reads a training."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rungs(epochs: int, *, first: int | None = None, factor: int = 3, every: int = 1) -> tuple[int, ...]:
    """The rungs of trainings of ``epochs`` epochs, the last one their end.

    ``first``: the first rung, from which each one is ``factor`` times as far as the one before; where it is None, there
    is one at a third of the epochs. ``every``: networks are validated after every so many epochs, and a rung is at the
    first validation from its epoch on.

    >>> rungs(27), rungs(27, first=3), rungs(1), rungs(27, every=5)
    ((9, 27), (3, 9, 27), (1,), (10, 27))
    """
    if first is None:
        return validated([math.ceil(epochs / 3), epochs], epochs, every)
    rung, before_the_end = first, []
    while rung < epochs:
        before_the_end.append(rung)
        rung *= factor
    return validated([*before_the_end, epochs], epochs, every)


def validated(steps: Sequence[int], epochs: int, every: int) -> tuple[int, ...]:
    """The first validation at or after each of ``steps``, where networks are validated after every ``every`` epochs.

    >>> validated([3, 9, 27], 27, 10)
    (10, 27)
    """
    return tuple(sorted({min(math.ceil(step / every) * every, epochs) for step in steps}))

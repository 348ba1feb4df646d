"""The trainings that the model of final values reads, where there are more than it can."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, TypeVar

from tune_reg.surrogate.final_value_model import Training

T = TypeVar("T")

#: Trainings that the model reads at most: the time of a fit grows with their cube.
MOST_READ: Final = 160

#: A training with its trial, and which of the trial's trainings it is.
Keyed = tuple[tuple[int, int], Training]


def most_informative(keyed: list[Keyed]) -> list[Keyed]:
    """At most 160 trainings, in their order: half of them trained longest and best, the others the newest.

    ``keyed``: in the order of their keys.
    """
    if len(keyed) <= MOST_READ:
        return keyed
    ranked = sorted(keyed, key=lambda item: _rank(item[1]))
    return best_and_newest(ranked[: MOST_READ // 2], reversed(keyed), MOST_READ, key=itemgetter(0))


def best_and_newest(best: Iterable[T], newest: Iterable[T], limit: int, *, key: Callable[[T], Any]) -> list[T]:
    """The ``best`` and, up to ``limit`` in all, the first of the ``newest`` others; named and sorted by ``key``.

    >>> best_and_newest([5], [9, 8, 7], 3, key=abs)
    [5, 8, 9]
    """
    chosen = {key(item): item for item in best}
    for item in newest:
        if len(chosen) == limit:
            break
        chosen.setdefault(key(item), item)
    return [chosen[name] for name in sorted(chosen)]


def _rank(training: Training) -> tuple[bool, int, float]:
    last = max(training.values, default=-1)
    return training.under_way_to is None, -last, -training.values.get(last, -math.inf)

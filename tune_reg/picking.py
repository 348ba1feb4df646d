"""Which trial of a search wins: one rule, for the search itself and for whoever reads its tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A complete trial. ``second``: its second objective, larger is better, or None where there is one objective."""

    number: int
    value: float  # validation accuracy, a share in [0, 1]
    second: float | None = None


def pick(candidates: Iterable[Candidate], *, images: int) -> int | None:
    """The number of the winner, or None where there is no candidate; the first of equals.

    With one objective it is the trial of the highest accuracy a*. With two it is the best in the second among those
    with ``accuracy >= a* - sqrt(a* (1 - a*) / images)``: within one standard error of the best, which ``images``
    validation images cannot tell from it.

    Source: the one-standard-error rule of Breiman, Friedman, Olshen and Stone, Classification and Regression Trees,
    1984, section 3.4.3.

    >>> trials = [Candidate(0, 0.90, 0.2), Candidate(1, 0.89, 0.5), Candidate(2, 0.60, 0.9)]
    >>> pick(trials, images=100)
    1
    >>> pick(trials, images=100_000)
    0
    """
    known = list(candidates)
    if not known:
        return None
    best = max(trial.value for trial in known)
    error = math.sqrt(max(0.0, best * (1 - best)) / images)
    near = [
        trial for trial in known if trial.value == best or (trial.second is not None and trial.value >= best - error)
    ]
    return min(near, key=lambda t: (-(t.second if t.second is not None else -math.inf), -t.value, t.number)).number

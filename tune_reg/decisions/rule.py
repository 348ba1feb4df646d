"""Decided or not: paired differences are looked at again and again, until each method is decided.

At each look a method has an interval at the nominal level of this look. It is superior where the interval lies above 0,
inferior where it lies below, and equivalent where it lies inside the margin; else it is undecided, and looked at again
with more seeds. All looks at all methods together are wrong in at most 5 % of studies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tune_reg.decisions.looks import LOOKS, nominal_levels
from tune_reg.decisions.student import difference_floor, mean_test

#: One number a seed.
Array: TypeAlias = Sequence[float] | npt.NDArray[np.floating]
Decision: TypeAlias = Literal["superior", "inferior", "equivalent", "undecided"]


class Look(NamedTuple):
    """A look at the paired differences of one method, in the unit of the differences."""

    look: int  # from 1
    n: int  # pairs
    level: float  # nominal, two-sided
    estimate: float  # mean of the differences; NaN without any
    low: float  # ends of the interval; infinite where the pairs have no spread to judge by
    high: float
    decision: Decision


class MethodDecision(NamedTuple):
    """What the paired differences of a method decide, in the unit of the differences."""

    method: str
    n: int  # pairs
    estimate: float  # mean of the differences; NaN without any
    low: float  # ends of the interval at the level of the look; infinite where there was no look, or no spread
    high: float
    decision: Decision


def decisions(
    differences: Mapping[str, Array],
    test_images: int | None = None,
    margin: float | None = None,
    looks: Sequence[int] | npt.NDArray[np.integer] = LOOKS,
    *,
    minimized: bool = False,
) -> list[MethodDecision]:
    """Which methods are superior, inferior or equivalent to the baseline, by repeated looks at paired differences.

    ``differences``: for each method an array of ``method - baseline``, one value a seed in the order of the seeds; NaN
    for a seed on which one of both has no value. ``test_images``: accuracies, as shares, on so many images have
    differences of at least the variance ``1 / (6 N^2)``. ``margin``: differences inside ``+-margin`` do not matter; in
    the unit of the differences. ``looks``: numbers of seeds at which the differences are looked at, and the last of
    them at most. ``minimized``: smaller values are better, as of an error, so that superior and inferior change places.

    A row a method, in the order of the mapping: of the look that decided it, else of the last one for which there are
    seeds. The interval is ``mean +- t_(n - 1, 1 - level / 2) s / sqrt(n)``, with the nominal level of
    ``nominal_levels(looks, methods)``; a method is superior where ``low > 0``, inferior where ``high < 0``, equivalent
    where both lie inside the margin. A look without any pair is the last one. ``ValueError``, in one line, for what is
    no difference, margin or look.

    Source: Jennison & Turnbull, Group sequential methods with applications to clinical trials, 2000 (repeated
    confidence intervals); Lan & DeMets, Discrete sequential boundaries for clinical trials, 1983.

    >>> rows = decisions({"l1": [0.01, 0.02, 0.015, 0.012, 0.018], "dropout": [0.01, -0.01, 0.0, 0.02, -0.02]})
    >>> [(row.method, row.n, row.decision) for row in rows]
    [('l1', 5, 'superior'), ('dropout', 5, 'undecided')]
    >>> [round(end, 4) for end in rows[0][3:5]]
    [0.0062, 0.0238]
    """
    _check(test_images, margin, looks)
    if not isinstance(differences, Mapping):
        raise ValueError(f"differences: must be a mapping of methods to arrays, but got {type(differences).__name__}")  # noqa: TRY004
    at = [int(n) for n in looks]
    values = {method: _values(method, array) for method, array in differences.items()}
    rows = []
    for method, of_method in values.items():
        taken = looks_at(
            of_method, methods=len(values), test_images=test_images, margin=margin, looks=at, minimized=minimized
        )
        if taken:
            last = taken[-1]
            rows.append(MethodDecision(str(method), last.n, last.estimate, last.low, last.high, last.decision))
        else:
            pairs = _pairs(of_method)
            rows.append(MethodDecision(str(method), len(pairs), _mean(pairs), -math.inf, math.inf, "undecided"))
    return rows


def looks_at(
    differences: Sequence[float],
    *,
    methods: int,
    test_images: int | None = None,
    margin: float | None = None,
    looks: Sequence[int] = LOOKS,
    minimized: bool = False,
) -> list[Look]:
    """The looks at the differences of one of ``methods`` methods, up to the one that decides, or as far as seeds go.

    Arguments as of ``decisions``; a look without any pair is the last one.

    >>> [(look.n, look.decision) for look in looks_at([0.02, -0.01, 0.01, 0.0, 0.01, 0.01, 0.02, 0.0], methods=1)]
    [(5, 'undecided'), (8, 'undecided')]
    """
    taken: list[Look] = []
    for seeds, level in zip(looks, nominal_levels(looks, methods), strict=True):
        if len(differences) < seeds:
            break
        floor, pairs = difference_floor(test_images), _pairs(differences[:seeds])
        taken.append(_look(len(taken) + 1, pairs, level, floor, margin, minimized=minimized))
        if taken[-1].decision != "undecided" or not taken[-1].n:
            break
    return taken


def seeds_wanted(look: int, n: int, decision: str, looks: Sequence[int] = LOOKS) -> int:
    """On how many seeds a method is trained after the look of this number, which saw ``n`` pairs and came to this.

    Those of the look itself where it is the last one: it decided, there are no more of them, or it saw no pair.

    >>> [seeds_wanted(look, 5, "undecided") for look in (1, 2, 3, 4)]
    [8, 12, 20, 20]
    >>> seeds_wanted(1, 5, "superior"), seeds_wanted(1, 0, "undecided")
    (5, 5)
    """
    over = decision != "undecided" or n == 0
    return looks[look - 1] if over else looks[min(look, len(looks) - 1)]


def _look(
    number: int, pairs: Sequence[float], level: float, floor: float, margin: float | None, *, minimized: bool
) -> Look:
    low, high = -math.inf, math.inf
    if pairs:
        test = mean_test(pairs, floor=floor, level=level)
        if test.low is not None and test.high is not None:
            low, high = test.low, test.high
    return Look(number, len(pairs), level, _mean(pairs), low, high, _decision(low, high, margin, minimized=minimized))


def _decision(low: float, high: float, margin: float | None, *, minimized: bool) -> Decision:
    if low > 0:
        return "inferior" if minimized else "superior"
    if high < 0:
        return "superior" if minimized else "inferior"
    return "equivalent" if margin is not None and -margin < low and high < margin else "undecided"


def _pairs(differences: Sequence[float]) -> list[float]:
    return [float(value) for value in differences if not math.isnan(value)]


def _mean(pairs: Sequence[float]) -> float:
    return math.fsum(pairs) / len(pairs) if pairs else math.nan


def _values(method: object, array: Any) -> list[float]:
    try:
        values = np.asarray(array, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"differences of {method}: must be numbers, but got {_short(array)}") from None
    if values.ndim != 1:
        raise ValueError(f"differences of {method}: must be one number a seed, but have {values.ndim} dimensions")
    if np.isinf(values).any():
        raise ValueError(f"differences of {method}: must be finite, or NaN for a seed without a pair, but got inf")
    return [float(value) for value in values]


def _check(test_images: Any, margin: Any, looks: Any) -> None:
    if test_images is not None and not _is_whole(test_images, 1):
        raise ValueError(f"test_images: must be a whole number of at least 1, or None, but got {_short(test_images)}")
    number = isinstance(margin, int | float | np.number) and not isinstance(margin, bool)
    if margin is not None and not (number and 0 < margin < math.inf):
        raise ValueError(f"margin: must be a finite number above 0, or None, but got {_short(margin)}")
    entries = list(looks) if isinstance(looks, Sequence | np.ndarray) and not isinstance(looks, str) else []
    rising = all(_is_whole(n, 2) for n in entries) and entries == sorted(set(entries))
    if not entries or not rising:
        raise ValueError(f"looks: must be rising whole numbers of at least 2, but got {_short(looks)}")


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


_LONGEST: Final = 60


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

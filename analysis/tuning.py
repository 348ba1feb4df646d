"""Best value so far against budget: what a search of any length would have found."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import CONFIDENCE
from analysis.tables import Row, Snapshot, finite, once

Array: TypeAlias = NDArray[np.float64]

_RESAMPLES: Final = 400
_BUDGETS: Final = 40


class TuningPoint(NamedTuple):
    """The state of one search at one budget. Accuracies are shares in [0, 1]."""

    regularizer: str
    epochs: int  # budget, spent by all trials of the regularizer, whatever their end
    trials: int  # finished within the budget, of the search as it was
    best: float | None  # value of the best complete trial among them
    n: int  # trials of the whole search, which are resampled
    median: float | None  # of the best so far over resampled orders; None where most have none yet
    low: float | None  # ends of the middle 95 % of the resampled orders
    high: float | None


class Search(NamedTuple):
    """The trials of one regularizer at one fraction, in the order in which they were asked."""

    regularizer: str
    fraction: float
    costs: Array  # [trials] epochs
    values: Array  # [trials] value of complete trials; -inf for all others, which can not be picked


def searches(data: Snapshot) -> list[Search]:
    """Every search, the largest fraction first."""
    groups: dict[tuple[float, int], list[Row]] = {}
    for row in data.trials:
        groups.setdefault((-row["fraction"], data.order(row["regularizer"])), []).append(row)
    return [
        Search(
            data.regularizers[place],
            -fraction,
            np.array([row["epochs_trained"] or 0 for row in rows], dtype=np.float64),
            np.array([_pickable(row) for row in rows]),
        )
        for (fraction, place), rows in sorted(groups.items())
    ]


@once
def tuning_points(data: Snapshot) -> dict[float, tuple[TuningPoint, ...]]:
    """The tuning curve of every search, by fraction; all searches of a fraction share their budgets.

    The band is what chance alone does to the curve: trials are drawn with replacement, in any order, until the
    budget is spent (400 times). For a random search it is a confidence band. A model-based sampler tries
    better configurations later, so that its own curve may leave the band at small budgets.
    """
    found = searches(data)
    points: dict[float, tuple[TuningPoint, ...]] = {}
    for fraction in dict.fromkeys(each.fraction for each in found):
        mine = [each for each in found if each.fraction == fraction]
        longest = max(float(each.costs.sum()) for each in mine)
        budgets = np.unique(np.ceil(np.linspace(0, longest, _BUDGETS + 1)[1:]))
        points[fraction] = tuple(point for each in mine for point in at_budgets(each, budgets))
    return points


@once
def equal_budgets(data: Snapshot) -> dict[float, tuple[TuningPoint, ...]]:
    """All searches of a fraction at a quarter, a half and the whole of the budget that each of them spent."""
    found = searches(data)
    points: dict[float, tuple[TuningPoint, ...]] = {}
    for fraction in dict.fromkeys(each.fraction for each in found):
        mine = [each for each in found if each.fraction == fraction]
        shared = min(float(each.costs.sum()) for each in mine)
        budgets = np.unique(np.floor(shared * np.array([0.25, 0.5, 1.0])))
        points[fraction] = tuple(point for each in mine for point in at_budgets(each, budgets[budgets > 0]))
    return points


def at_budgets(search: Search, budgets: Array) -> list[TuningPoint]:
    """The points of one search at ``budgets``, ascending, and where it ended, if that lies before the last one."""
    total = float(search.costs.sum())
    own = np.append(budgets[budgets < total], total) if total < budgets[-1] else budgets
    trials, best = best_so_far(search.costs, search.values, own)
    middle, low, high = resampled_best(search.costs, search.values, own)
    points = []
    for i, budget in enumerate(own):
        head = (search.regularizer, int(budget), int(trials[i]), _known(best[i]), len(search.costs))
        points.append(TuningPoint(*head, median=_known(middle[i]), low=_known(low[i]), high=_known(high[i])))
    return points


def best_so_far(costs: Array, values: Array, budgets: Array) -> tuple[NDArray[np.intp], Array]:
    """Trials finished within each budget and the best value among them, -inf with none.

    >>> trials, best = best_so_far(np.array([2.0, 2.0, 2.0]), np.array([0.5, 0.4, 0.6]), np.array([1.0, 4.0, 6.0]))
    >>> trials.tolist(), best.tolist()
    ([0, 2, 3], [-inf, 0.5, 0.6])
    """
    trials = np.searchsorted(np.cumsum(costs), budgets, side="right")
    return trials, np.append(-np.inf, np.maximum.accumulate(values))[trials]


def resampled_best(costs: Array, values: Array, budgets: Array) -> tuple[Array, Array, Array]:
    """Median and ends of the middle 95 % of ``best_so_far`` over trials drawn with replacement."""
    rng = np.random.default_rng(0)
    n = len(costs)
    found = np.empty((_RESAMPLES, len(budgets)))
    for draw in range(_RESAMPLES):
        # Half as many again: cheap trials drawn often would else end before the budget does.
        taken = rng.integers(0, n, n + n // 2 + 20)
        found[draw] = best_so_far(costs[taken], values[taken], budgets)[1]
    tail = (1 - CONFIDENCE) / 2
    low, middle, high = np.quantile(found, (tail, 0.5, 1 - tail), axis=0, method="inverted_cdf")
    return middle, low, high


def _pickable(row: Row) -> float:
    values = finite([row["value"]]) if row["state"] == "complete" else []
    return values[0] if values else -np.inf


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

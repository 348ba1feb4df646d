"""What would a search of any length have found: the best value so far against budget?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.measures.outcomes import complete_value
from analysis.snapshot import Snapshot, finite_or_none, once
from analysis.statistics.intervals import TAIL, Array
from tune_reg.store import TrialRow

#: How many of a hundred other random searches have their best value so far in the band of one, by the share of its
#: trials that are spent; simulated with 8, 16 and 40 trials of normal, skewed and flat values.
BAND_COVERS: Final = {0.25: 75, 0.5: 62, 0.75: 51, 1.0: 43}

_RESAMPLES: Final = 400
_BUDGETS: Final = 40


class TuningPoint(NamedTuple):
    """The state of one search at one budget, in epochs or in seconds. Values are in the unit of the metric."""

    regularizer: str
    epochs: int  # budget, spent by all trials of the regularizer, whatever their end
    trials: int  # finished within the budget, of the search as it was
    best: float | None  # of the best trial among them: what the search's model expects of it, else its value
    n: int  # trials of the whole search, which are resampled
    median: float | None  # of the best so far over resampled orders; None where most have none yet
    low: float | None  # ends of the middle 95 % of the resampled orders
    high: float | None
    seconds: float = 0.0  # of training: the budget, or those of the trials finished within a budget of epochs


class Search(NamedTuple):
    """The trials of one regularizer at one fraction, in the order in which they were asked for."""

    regularizer: str
    fraction: float
    costs: Array  # [trials] epochs
    values: Array  # [trials] score of the expected value, or of that of complete trials; -inf of those not to be picked
    seconds: Array | None = None  # [trials] of training


def searches(data: Snapshot) -> list[Search]:
    """Every search of a study, the largest fraction first."""
    groups: dict[tuple[float, int], list[TrialRow]] = {}
    for row in data.trials:
        groups.setdefault((-row["fraction"], data.order(row["regularizer"])), []).append(row)
    return [
        Search(
            data.regularizers[index],
            -fraction,
            np.array([row["epochs_trained"] or 0 for row in rows], dtype=np.float64),
            np.array(_scores(data, rows, data.expected_of(data.regularizers[index], -fraction))),
            np.array([row["wall_s"] or 0.0 for row in rows], dtype=np.float64),
        )
        for (fraction, index), rows in sorted(groups.items())
    ]


@once
def tuning_points(data: Snapshot) -> dict[float, tuple[TuningPoint, ...]]:
    """The tuning curve of every search against epochs, by fraction; all searches of a fraction share their budgets.

    Trials count with what the search's model expects of them in the end, where it has one, and may then have been
    paused for good; else with their values, if they are complete.

    The band is what chance does to the order of these trials: they are drawn with replacement until the budget is
    spent (400 times). It is no interval for another search: of random searches as long, ``BAND_COVERS`` says how many
    have their best value so far inside it. A model-based sampler tries better configurations later, so that its own
    curve may leave the band at small budgets.
    """
    return _at_shared_budgets(data, lambda totals: np.unique(np.ceil(_evenly(max(totals)))))


@once
def timed_tuning_points(data: Snapshot) -> dict[float, tuple[TuningPoint, ...]]:
    """As ``tuning_points``, against the seconds of training that a search had spent."""
    return _at_shared_budgets(data, lambda totals: np.unique(_evenly(max(totals))), timed=True)


def _evenly(total: float) -> Array:
    return np.linspace(0, total, _BUDGETS + 1)[1:]


@once
def equal_budgets(data: Snapshot) -> dict[float, tuple[TuningPoint, ...]]:
    """All searches of a fraction at a quarter, a half and the whole of the budget that each of them spent.

    A search whose trials all failed before their first epoch spent nothing, and sets no budget for the others.
    """

    def budgets(totals: list[float]) -> Array:
        least = min((total for total in totals if total > 0), default=0.0)
        shared = np.unique(np.floor(least * np.array([0.25, 0.5, 1.0])))
        return shared[shared > 0]

    return _at_shared_budgets(data, budgets)


def at_budgets(search: Search, budgets: Array, *, timed: bool = False) -> list[TuningPoint]:
    """The points of one search, in scores, at rising ``budgets``, and where it ended, if that is before the last one.

    ``timed``: budgets are of seconds, and not of epochs.
    """
    seconds = np.zeros(len(search.costs)) if search.seconds is None else search.seconds
    spent, other = (seconds, search.costs) if timed else (search.costs, seconds)
    total = float(spent.sum())
    if not len(budgets):  # no search of this fraction trained an epoch
        budgets = np.zeros(1)
    reached = np.append(budgets[budgets < total], total) if total < budgets[-1] else budgets
    trials, best = best_so_far(spent, search.values, reached)
    of_other = np.append(0.0, np.cumsum(other))[trials]
    epochs, seconds = (of_other, reached) if timed else (reached, of_other)
    middle, low, high = resampled_best(spent, search.values, reached)
    return [
        TuningPoint(
            search.regularizer,
            int(epochs[i]),
            int(trials[i]),
            finite_or_none(float(best[i])),
            len(search.costs),
            median=finite_or_none(float(middle[i])),
            low=finite_or_none(float(low[i])),
            high=finite_or_none(float(high[i])),
            seconds=float(seconds[i]),
        )
        for i in range(len(reached))
    ]


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
    best = np.empty((_RESAMPLES, len(budgets)))
    for draw in range(_RESAMPLES):
        # Half as many again: cheap trials drawn often would else end before the budget does.
        taken = rng.integers(0, n, n + n // 2 + 20)
        best[draw] = best_so_far(costs[taken], values[taken], budgets)[1]
    low, middle, high = np.quantile(best, (TAIL, 0.5, 1 - TAIL), axis=0, method="inverted_cdf")
    return middle, low, high


def _at_shared_budgets(
    data: Snapshot, budgets: Callable[[list[float]], Array], *, timed: bool = False
) -> dict[float, tuple[TuningPoint, ...]]:
    """The points of all searches by fraction, at ``budgets`` of the epochs, or seconds, that those of it spent."""
    by_fraction: dict[float, list[Search]] = {}
    for search in searches(data):
        by_fraction.setdefault(search.fraction, []).append(search)
    points: dict[float, tuple[TuningPoint, ...]] = {}
    for fraction, together in by_fraction.items():
        spent = [search.seconds if timed and search.seconds is not None else search.costs for search in together]
        shared = budgets([float(of_trials.sum()) for of_trials in spent])
        points[fraction] = tuple(
            _in_unit(data, point) for search in together for point in at_budgets(search, shared, timed=timed)
        )
    return points


def _in_unit(data: Snapshot, point: TuningPoint) -> TuningPoint:
    """A point of scores as one of values of the metric."""
    if not data.metric.minimized:
        return point
    best, median, low, high = (
        None if score is None else data.metric.value(score)
        for score in (point.best, point.median, point.high, point.low)
    )
    return point._replace(best=best, median=median, low=low, high=high)


def _scores(data: Snapshot, rows: Sequence[TrialRow], expected: Mapping[int, float]) -> list[float]:
    """What each trial counts with where one is picked; -inf where it can not be."""
    values = [expected.get(row["trial"]) if expected else complete_value(row) for row in rows]
    return [-np.inf if value is None else data.metric.score(value) for value in values]

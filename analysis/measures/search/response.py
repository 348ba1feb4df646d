"""How does accuracy respond to each hyperparameter of a search: curve, best value, plateau?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from analysis.measures.outcomes import complete_value
from analysis.measures.search.spaces import (
    Space,
    all_spaces,
    edge,
    number,
    numeric_space,
    space_in_trial,
    spans_decades,
)
from analysis.snapshot import Snapshot, once
from analysis.statistics import percentile_interval
from analysis.statistics.intervals import Array
from analysis.statistics.smoothing import MINIMUM, MINIMUM_PLACES, Smoother
from tune_reg.store import TrialRow, winner

LINEAR: Final = "linear"
LOG: Final = "log"
SYMLOG: Final = "symlog"  # log, but with a zero
CATEGORY: Final = "category"

_GRID: Final = 121  # points of a curve
_RESAMPLES: Final = 400


class Optimum(NamedTuple):
    """What one search says about one hyperparameter. Accuracies are shares in [0, 1]."""

    regularizer: str
    fraction: float
    parameter: str
    scale: str  # LINEAR, LOG, SYMLOG or CATEGORY
    trials: int  # that ended and have the parameter; the curve is fitted to these
    picked: float | str | None  # the winner's value
    picked_edge: str | None  # "low" or "high" where the winner lies on that edge of the space that it was drawn from
    best: float | None = None  # where the curve is highest; None where there is no curve
    best_low: float | None = None  # ends of its 95 % bootstrap interval over trials
    best_high: float | None = None
    accuracy: float | None = None  # of the curve there, and its 95 % interval
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    plateau_low: float | None = None  # where the curve is within one standard error of its best
    plateau_high: float | None = None
    plateau_share: float | None = None  # of the space, else of the range tried; in log where it is log
    plateau_open: str = ""  # "", "low", "high" or "both": the ends at which the trials end before the plateau does


class FittedPoint(NamedTuple):
    """One point of a fitted curve with its 95 % band."""

    x: float
    mean: float
    low: float
    high: float


class Response(NamedTuple):
    """One hyperparameter of one search: its numbers and its curve."""

    optimum: Optimum
    curve: tuple[FittedPoint, ...]  # empty where there is none


@once
def responses(data: Snapshot) -> tuple[Response, ...]:
    """The response to every searched hyperparameter of every search, the strength first.

    The curve is a ``Smoother`` of the validation accuracy of the trials that ended, over the hyperparameter alone:
    the others vary freely, so it is the mean over what the sampler chose for them. Pruned trials have seen fewer
    epochs and are left out; so where trials are pruned, the curve is that of the survivors. No curve is drawn
    through fewer than 6 trials or 4 distinct values, or through names.
    """
    curves = []
    for name in data.regularizers:
        trials = data.trials_of(name)
        numbers = winners(data, name)
        for parameter in parameters(data, name):
            scale = scale_of(data, name, parameter)
            for fraction in sorted({row["fraction"] for row in trials}, reverse=True):
                rows = [row for row in trials if row["fraction"] == fraction]
                curves.append(_response(data, name, fraction, parameter, scale, rows, numbers.get(fraction)))
    return tuple(curves)


def parameters(data: Snapshot, name: str) -> list[str]:
    """The searched hyperparameters of ``name``, its strength first; only the strength where nothing was searched."""
    first = strength_parameter(data, name)
    others = searched(data.trials_of(name), all_spaces(data)[name])
    return [key for key in dict.fromkeys([first, *others]) if key]


def searched(rows: Sequence[TrialRow], spaces: Mapping[str, Any]) -> list[str]:
    """Hyperparameters that took more than one value in ``rows``, in the order of the space, then of the alphabet."""
    tried: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row["params"].items():
            tried.setdefault(key, set()).add(str(value))
    return [key for key in dict.fromkeys([*spaces, *sorted(tried)]) if len(tried.get(key, ())) > 1]


def strength_parameter(data: Snapshot, name: str) -> str:
    """The strength that the provenance names, else the first one searched over numbers, else "" where none is known."""
    method = data.method(name)
    rows = data.trials_of(name)
    given = method.get("strength")
    tried = sorted({key for row in rows for key in row["params"]})
    if isinstance(given, str) and given in tried:
        return given
    spaces = all_spaces(data)[name]
    numeric = [key for key in spaces if numeric_space(spaces[key]) is not None and key in tried]
    return next(iter([*numeric, *searched(rows, spaces), *tried]), "")


def strength_optima(data: Snapshot, name: str) -> list[Optimum]:
    """What each search of ``name`` says about its strength, the largest fraction first."""
    strength = strength_parameter(data, name)
    optima = [response.optimum for response in responses(data)]
    return [each for each in optima if (each.regularizer, each.parameter) == (name, strength)]


def winners(data: Snapshot, name: str) -> dict[float, int]:
    """The winning trial of ``name`` at each searched fraction.

    Where the winner was confirmed, the confirmed run names it; else it is what the rule of the search picks among the
    trials so far.
    """
    trials = data.trials_of(name)
    by_fraction = {
        row["search_fraction"]: row["trial"]
        for row in data.final
        if row["regularizer"] == name and row["trial"] is not None
    }
    for fraction in {row["fraction"] for row in trials} - by_fraction.keys():
        rows = [row for row in trials if row["fraction"] == fraction and complete_value(row) is not None]
        number = winner(rows, data.study, data.expected_of(name, fraction))
        if number is not None:
            by_fraction[fraction] = number
    return by_fraction


def scale_of(data: Snapshot, name: str, parameter: str) -> str:
    """How values of ``parameter`` lie on an axis: LINEAR, LOG, SYMLOG or CATEGORY."""
    raw = [row["params"].get(parameter) for row in data.trials_of(name)]
    values = [value for value in map(number, raw) if value is not None]
    if len(values) < sum(value is not None for value in raw) or not values:
        return CATEGORY
    space = space_of(data, name, parameter)
    positive = [value for value in values if value > 0]
    if space is not None and not space.listed:
        return LOG if space.log and len(positive) == len(values) else LINEAR
    # A grid, or a space that nobody wrote down: strengths that span decades go by decades.
    wide = bool(positive) and spans_decades(min(positive), max(positive))
    if not wide or min(values) < 0:
        return LINEAR
    return LOG if len(positive) == len(values) else SYMLOG


def space_of(data: Snapshot, name: str, parameter: str) -> Space | None:
    """The bounds within which ``parameter`` was searched, the widest where trials differ in them."""
    return numeric_space(all_spaces(data)[name].get(parameter))


def _response(
    data: Snapshot, name: str, fraction: float, parameter: str, scale: str, rows: list[TrialRow], winner: int | None
) -> Response:
    values = [(row["params"].get(parameter), complete_value(row)) for row in rows]
    ended = [(setting, value) for setting, value in values if setting is not None and value is not None]
    picked_row = next((row for row in rows if row["trial"] == winner), None)
    picked = None if picked_row is None else picked_row["params"].get(parameter)
    space, picked_number = space_of(data, name, parameter), number(picked)
    in_force = numeric_space(space_in_trial(data, name, picked_row).get(parameter))
    side = edge(in_force, picked_number) if in_force is not None and picked_number is not None else None
    picked_value = picked_number if picked_number is not None or picked is None else str(picked)
    head = (name, fraction, parameter, scale, len(ended), picked_value, side)
    without_curve = Response(Optimum(*head), ())
    if scale == CATEGORY or len(ended) < MINIMUM or len({setting for setting, _ in ended}) < MINIMUM_PLACES:
        return without_curve
    settings = [float(setting) for setting, _ in ended]
    axis = _Axis(scale, settings)
    positions = axis.to(np.array(settings))
    order = np.argsort(positions, kind="stable")
    smoother = Smoother(positions[order], np.array([value for _, value in ended])[order])
    grid = np.linspace(positions.min(), positions.max(), _GRID)
    curve = smoother.at(grid)
    top = int(np.argmax(curve.mean))
    peaks = smoother.resampled_peaks(grid, _RESAMPLES, np.random.default_rng(0))
    low, high = _plateau(curve.mean, float(curve.mean[top] - curve.error[top]), top)
    whole = np.ptp(axis.to(np.array([space.low, space.high]))) if space is not None else np.ptp(grid)
    x = axis.back(grid)
    mean, below, above = (np.clip(line, 0.0, 1.0) for line in (curve.mean, curve.low, curve.high))
    ends = ("low" if low == 0 else "") + ("high" if high == _GRID - 1 else "")
    best_low, best_high = (float(axis.back(np.array([end]))[0]) for end in percentile_interval(peaks))
    optimum = Optimum(
        *head,
        best=float(x[top]),
        best_low=best_low,
        best_high=best_high,
        accuracy=float(mean[top]),
        accuracy_low=float(below[top]),
        accuracy_high=float(above[top]),
        plateau_low=float(x[low]),
        plateau_high=float(x[high]),
        plateau_share=float((grid[high] - grid[low]) / whole),
        plateau_open="both" if ends == "lowhigh" else ends,
    )
    points = zip(x.tolist(), mean.tolist(), below.tolist(), above.tolist(), strict=True)
    return Response(optimum, tuple(FittedPoint(*point) for point in points))


def _plateau(mean: Array, floor: float, top: int) -> tuple[int, int]:
    low = high = top
    while low > 0 and mean[low - 1] >= floor:
        low -= 1
    while high < len(mean) - 1 and mean[high + 1] >= floor:
        high += 1
    return low, high


class _Axis:
    """The axis on which the curve is smooth: from values of a hyperparameter to positions on it, and back."""

    def __init__(self, scale: str, values: list[float]) -> None:
        self._scale = scale
        self._unit = min((abs(value) for value in values if value), default=1.0)

    def to(self, values: Array) -> Array:
        if self._scale == LOG:
            return np.log10(values)
        if self._scale == SYMLOG:
            return np.sign(values) * np.log10(1 + np.abs(values) / self._unit)
        return values

    def back(self, positions: Array) -> Array:
        if self._scale == LOG:
            return np.asarray(10.0**positions)
        if self._scale == SYMLOG:
            return np.sign(positions) * (10.0 ** np.abs(positions) - 1) * self._unit
        return positions

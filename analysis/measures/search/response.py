"""How does the metric respond to each hyperparameter of a search: curve, best value, plateau?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.measures.metric import in_unit
from analysis.measures.outcomes import complete_value
from analysis.measures.search.model import SearchModel, Vector, one_thread, search_models, stable, stable_digits
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
from search_spaces import Value
from tune_reg.store import TrialRow, winner

if TYPE_CHECKING:
    from tune_reg.surrogate.response import ResponseDraws

LINEAR: Final = "linear"
LOG: Final = "log"
SYMLOG: Final = "symlog"  # log, but with a zero
CATEGORY: Final = "category"

#: Fewest configurations through which a curve is drawn.
MINIMUM: Final = 4
#: A peak whose interval is a larger share of the space is not located.
LOCATED: Final = 0.8


class Optimum(NamedTuple):
    """What one search says about one hyperparameter. ``accuracy`` is in the metric of the study, whatever that is."""

    regularizer: str
    fraction: float
    parameter: str
    scale: str  # LINEAR, LOG, SYMLOG or CATEGORY
    trials: int  # that the model reads and that have the parameter
    picked: float | str | None  # the winner's value
    picked_edge: str | None  # "low" or "high" where the winner lies on that edge of the space that it was drawn from
    missing: str | None  # why there is no curve; None where there is one
    best: float | str | None = None  # where the curve is best
    best_low: float | None = None  # ends of the 95 % interval of the place of the peak; None of names
    best_high: float | None = None
    located: bool = False  # whether that interval is at most 80 % of the space; of names, whether it leaves any out
    accuracy: float | None = None  # of the curve there, and its 95 % interval
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    plateau_low: float | None = None  # values that cannot be told from the best one: ends of a range
    plateau_high: float | None = None
    plateau_names: str = ""  # the same of names, one after the other
    plateau_share: float | None = None  # of the space; in log where it is log
    plateau_open: str = ""  # "", "low", "high" or "both": the ends at which the trials end before the plateau does


class FittedPoint(NamedTuple):
    """One point of a fitted curve with its 95 % band."""

    x: float | str
    mean: float
    low: float
    high: float


class MainEffect(NamedTuple):
    """How much one hyperparameter matters by itself, the others being averaged over; each with its 95 % interval."""

    share: float  # of the variance of the final accuracy over the space, in [0, 1]
    share_low: float
    share_high: float
    swing: float  # how far the means at its best value and at its worst are apart, in the unit of the metric
    swing_low: float
    swing_high: float


class Response(NamedTuple):
    """One hyperparameter of one search: its numbers and its curves."""

    optimum: Optimum
    curve: tuple[FittedPoint, ...]  # with the best setting of the others; empty where there is none
    average: tuple[FittedPoint, ...]  # mean over the settings of the others; empty where there are none
    effect: MainEffect | None = None  # None where it is searched alone


@once
def responses(data: Snapshot) -> tuple[Response, ...]:
    """The response to every searched hyperparameter of every search, the strength first.

    By joint draws of the final values from the model of the search, which reads every trial, stopped ones, too. The
    curve is the best final value that the hyperparameter's value allows, over the settings of the others; its band is
    the middle 95 % of the draws. The place of the peak is that of each draw. A value is on the plateau where the 95 %
    interval of its distance to the peak includes 0. No curve goes beyond the values that were tried, or through fewer
    than 4 configurations.
    """
    models = search_models(data)
    curves = []
    for name in data.regularizers:
        trials = data.trials_of(name)
        numbers = winners(data, name)
        for parameter in parameters(data, name):
            scale = scale_of(data, name, parameter)
            for fraction in sorted({row["fraction"] for row in trials}, reverse=True):
                rows = [row for row in trials if row["fraction"] == fraction]
                head = _head(data, name, fraction, parameter, scale, rows, numbers.get(fraction))
                with one_thread():
                    curves.append(_response(data, head, models[name, fraction], rows))
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


def _head(
    data: Snapshot, name: str, fraction: float, parameter: str, scale: str, rows: list[TrialRow], winner: int | None
) -> Optimum:
    """What is known of a hyperparameter without a curve."""
    picked_row = next((row for row in rows if row["trial"] == winner), None)
    picked = None if picked_row is None else picked_row["params"].get(parameter)
    picked_number = number(picked)
    in_force = numeric_space(space_in_trial(data, name, picked_row).get(parameter))
    side = edge(in_force, picked_number) if in_force is not None and picked_number is not None else None
    picked_value = picked_number if picked_number is not None or picked is None else str(picked)
    return Optimum(name, fraction, parameter, scale, 0, picked_value, side, None)


def _response(data: Snapshot, head: Optimum, model: SearchModel | str, rows: list[TrialRow]) -> Response:
    from tune_reg.surrogate.response import response_draws

    if isinstance(model, str):
        return Response(head._replace(missing=model), (), ())
    name = head.parameter
    read = [row for row in rows if row["trial"] in model.trials and name in row["params"]]
    head = head._replace(trials=len(read))
    if name not in model.space.domains:
        return Response(head._replace(missing="it is fixed"), (), ())
    if len({str(sorted(row["params"].items())) for row in read}) < MINIMUM:
        return Response(head._replace(missing="too few trials"), (), ())
    index = model.cube.names.index(name)
    tried = [model.cube.coordinate(index, row["params"][name]) for row in read]
    draws = response_draws(model.model, model.cube, model.density, name, model.points, low=min(tried), high=max(tried))
    assert draws is not None, "trials have it, so it is in use somewhere"
    return _described(data, head, draws, alone=model.cube.dims == 1)


def _described(data: Snapshot, head: Optimum, draws: ResponseDraws, *, alone: bool) -> Response:
    digits = stable_digits(data)
    values = [_plain(value, head.scale) for value in draws.values]
    mean = draws.best.mean(axis=0)
    low, high = np.quantile(draws.best, [0.025, 0.975], axis=0)
    top = int(mean.argmax())
    near = np.quantile(draws.best[:, [top]] - draws.best, 0.025, axis=0) <= 0
    at_peak = in_unit(data, float(mean[top]), float(low[top]), float(high[top]))
    at_top, at_low, at_high = (stable(number, digits) for number in at_peak)
    optimum = head._replace(
        best=values[top],
        accuracy=at_top,
        accuracy_low=at_low,
        accuracy_high=at_high,
        **_places(head.scale, values, draws, near, top),
    )
    average = () if alone else _points(data, values, draws.mean)
    effect = None if alone else _main_effect(draws, digits)
    return Response(optimum, _points(data, values, draws.best), average, effect)


def _places(
    scale: str, values: list[float | str], draws: ResponseDraws, near: NDArray[np.bool_], top: int
) -> dict[str, Any]:
    """Where the peak may be, and the plateau."""
    if scale == CATEGORY:
        plateau = [str(value) for value, is_near in zip(values, near, strict=True) if is_near]
        return {
            "plateau_names": ", ".join(plateau),
            "plateau_share": len(plateau) / len(values),
            "located": len(plateau) < len(values),
        }
    peaks = draws.best.argmax(axis=1)
    first, last = (int(end) for end in np.quantile(peaks, [0.025, 0.975], method="nearest"))
    low = high = top
    while low > 0 and near[low - 1]:
        low -= 1
    while high < len(near) - 1 and near[high + 1]:
        high += 1
    ends = ("low" if low == 0 else "") + ("high" if high == len(near) - 1 else "")
    return {
        "best_low": values[first],
        "best_high": values[last],
        "located": bool(draws.units[last] - draws.units[first] <= LOCATED),
        "plateau_low": values[low],
        "plateau_high": values[high],
        "plateau_share": float(draws.units[high] - draws.units[low]),
        "plateau_open": "both" if ends == "lowhigh" else ends,
    }


def _main_effect(draws: ResponseDraws, digits: int) -> MainEffect:
    total = draws.deviation**2
    shares = draws.mean.var(axis=1) / np.where(total > 0, total, 1)
    swings = np.ptp(draws.mean, axis=1)
    numbers = [[each.mean(), *np.quantile(each, [0.025, 0.975])] for each in (shares, swings)]
    return MainEffect(*map(stable, numbers[0]), *(stable(number, digits) for number in numbers[1]))


def _points(data: Snapshot, values: list[float | str], draws: Vector) -> tuple[FittedPoint, ...]:
    digits = stable_digits(data)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    rows = zip(values, draws.mean(axis=0), low, high, strict=True)
    return tuple(
        FittedPoint(value, *(stable(number, digits) for number in in_unit(data, *numbers))) for value, *numbers in rows
    )


def _plain(value: Value, scale: str) -> float | str:
    return str(value) if scale == CATEGORY else float(value)

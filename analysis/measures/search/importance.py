"""How much did each hyperparameter matter for reaching the best trials?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.measures.outcomes import complete_value
from analysis.measures.search.response import searched
from analysis.measures.search.spaces import Space, all_spaces, number, numeric_space, spans_decades
from analysis.snapshot import Snapshot, once
from analysis.statistics import percentile_interval
from analysis.statistics.intervals import Array
from analysis.statistics.ped_anova import divergence
from tune_reg.store import TrialRow

#: The share of trials that counts as best. Small searches need more than the usual tenth.
TOP: Final = 0.25
#: Fewest complete trials: below, the best quarter is a handful.
MINIMUM: Final = 20

_STEPS: Final = 50
_RESAMPLES: Final = 200


class Importance(NamedTuple):
    """The importance of one hyperparameter within one search."""

    regularizer: str
    fraction: float
    parameter: str
    n: int  # complete trials
    share: float  # of the summed importance of the search's hyperparameters, in [0, 1]
    low: float  # ends of the 95 % bootstrap interval over trials
    high: float


@once
def importances(data: Snapshot) -> tuple[Importance, ...]:
    """PED-ANOVA (Watanabe, Bansal and Hutter 2023) of every search with ``MINIMUM`` complete trials or more.

    The divergence of the best quarter's distribution from that of all complete trials, for each hyperparameter,
    divided by their sum. It is about the trials that were made: a hyperparameter that the sampler never moved has no
    importance. A search with a single hyperparameter has nothing to share out and is left out.
    """
    rows = []
    for name in data.regularizers:
        trials = data.trials_of(name)
        for fraction in sorted({row["fraction"] for row in trials}, reverse=True):
            valued = [row for row in trials if row["fraction"] == fraction and complete_value(row) is not None]
            rows += _search(name, fraction, valued, all_spaces(data)[name])
    return tuple(rows)


def _search(name: str, fraction: float, rows: list[TrialRow], spaces: Mapping[str, Any]) -> list[Importance]:
    parameters = [key for key in searched(rows, spaces) if all(key in row["params"] for row in rows)]
    if len(rows) < MINIMUM or len(parameters) < 2:
        return []
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    cells = [_cells([row["params"][key] for row in rows], numeric_space(spaces.get(key))) for key in parameters]
    n = len(rows)
    rng = np.random.default_rng(0)
    shares = _shares(values, cells)
    draws = np.array([_shares(values, cells, rng.integers(0, n, n)) for _ in range(_RESAMPLES)])
    return [
        Importance(name, fraction, key, n, float(shares[index]), *percentile_interval(draws[:, index]))
        for index, key in enumerate(parameters)
    ]


class _Cells(NamedTuple):
    at: NDArray[np.intp]  # the cell of each trial
    total: int
    ordered: bool


def _cells(values: list[Any], space: Space | None) -> _Cells:
    numbers = [number(value) for value in values]
    if space is None and None not in numbers and len(set(numbers)) > 1:
        ends = [value for value in numbers if value is not None]
        space = Space(min(ends), max(ends), log=spans_decades(min(ends), max(ends)), listed=False)
    if space is None or space.listed or None in numbers:
        choices = sorted(set(map(str, values)))
        return _Cells(np.array([choices.index(str(value)) for value in values]), len(choices), ordered=False)
    scale = np.log if space.log else np.asarray
    low, high = float(scale(space.low)), float(scale(space.high))
    position = (scale(np.array(numbers, dtype=np.float64)) - low) / (high - low) * (_STEPS - 1)
    return _Cells(np.clip(np.ceil(position - 0.5), 0, _STEPS - 1).astype(np.intp), _STEPS, ordered=True)


def _shares(values: Array, cells: list[_Cells], sample: NDArray[np.intp] | None = None) -> Array:
    taken = np.arange(len(values)) if sample is None else sample
    drawn = values[taken]
    top = drawn >= np.sort(drawn)[::-1][int(np.ceil(TOP * len(drawn))) - 1]
    divergences = np.array([divergence(each.at[taken], top, each.total, ordered=each.ordered) for each in cells])
    total = float(divergences.sum())
    return divergences / total if total > 0 else np.full(len(cells), 1 / len(cells))

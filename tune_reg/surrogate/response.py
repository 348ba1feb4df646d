"""How the final value responds to one hyperparameter: joint draws of its conditional optimum and of its mean."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from search_spaces import Choice, Value
from tune_reg.surrogate.final_value_model import FinalValueModel
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.unit_cube import UnitCube

Vector = NDArray[np.float64]

#: Joint draws of the final values.
_DRAWS: Final = 400
#: Values of a hyperparameter that is searched alone, and of one among others.
_ALONE, _AMONG_OTHERS = 101, 25
#: Settings of the others: spread evenly, a power of 2; and those of the trainings from which most is expected.
_SPREAD, _BEST = 16, 8


class ResponseDraws(NamedTuple):
    """Joint draws of how the final value depends on one hyperparameter, in its unit."""

    values: tuple[Value, ...]  # of the hyperparameter [g], in the order of its coordinate
    units: Vector  # their coordinates in the unit cube [g]
    best: Vector  # [draws, g], the highest value over the settings of the others
    mean: Vector  # [draws, g], the mean over settings of the others that are spread evenly
    deviation: Vector  # [draws], the standard deviation over all of these


def response_draws(
    model: FinalValueModel,
    cube: UnitCube,
    density: PriorDensity,
    name: str,
    points: Vector,
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> ResponseDraws | None:
    """The response to hyperparameter ``name`` between coordinates ``low`` and ``high``; None where it is never in use.

    ``points`` [n, d]: those of the model's trainings in the unit cube. The others take 16 settings that are spread
    evenly over the space, and those of the 8 trainings from which most is expected; settings at which the
    hyperparameter is not in use are left out.
    """
    index = cube.names.index(name)
    units = _units(cube, index, low, high)
    others, spread = _others(model, cube, index, points)
    grid = np.repeat(others[None], len(units), axis=0)
    grid[:, :, index] = units[:, None]
    every = grid.reshape(-1, cube.dims)
    used = cube.used(every)
    in_use = used[: len(others), index]  # which depends on the others alone
    if not in_use.any():
        return None
    chosen = np.tile(in_use, len(units))
    every, used = every[chosen], used[chosen]
    draws = model.draws(cube.features_at(every, used), density.log_at(every, used), _DRAWS)
    draws = draws.reshape(_DRAWS, len(units), -1)
    evenly = draws[:, :, : int(in_use[:spread].sum())]
    if not evenly.shape[2]:
        evenly = draws
    values = tuple(cube.value(index, float(unit)) for unit in units)
    return ResponseDraws(values, units, draws.max(axis=2), evenly.mean(axis=2), evenly.std(axis=(1, 2)))


def _units(cube: UnitCube, index: int, low: float, high: float) -> Vector:
    """The coordinates at which a hyperparameter is looked at: a range between its ends, a choice at each value."""
    domain = cube.domains[index]
    if isinstance(domain, Choice):
        return np.array([cube.coordinate(index, value) for value in domain.values])
    units = np.linspace(low, high, _ALONE if cube.dims == 1 else _AMONG_OTHERS)
    # Of whole numbers each one once.
    return np.unique([cube.coordinate(index, cube.value(index, float(unit))) for unit in units])


def _others(model: FinalValueModel, cube: UnitCube, index: int, points: Vector) -> tuple[Vector, int]:
    """Points [m, d] whose other coordinates are looked at, and how many of them, the first ones, are spread evenly."""
    if cube.dims == 1:
        return np.zeros((1, 1)), 1
    even = qmc.Sobol(cube.dims, seed=0).random(_SPREAD)
    best = np.argsort(-model.expect_trainings().mean, kind="stable")
    chosen: list[Vector] = []
    for point in points[best]:
        rest = np.delete(point, index)
        if len(chosen) < _BEST and not any(np.array_equal(rest, np.delete(other, index)) for other in chosen):
            chosen.append(point)
    return np.concatenate([even, np.stack(chosen)]), _SPREAD

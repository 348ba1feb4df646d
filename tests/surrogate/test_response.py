"""The response to one hyperparameter: best and mean over the others, conditions, and how often intervals cover."""

import numpy as np
import pytest

from search_spaces import SearchSpace, choice, integer, loguniform, uniform, when
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.response import response_draws
from tune_reg.surrogate.unit_cube import UnitCube


def searched(space, value, count, *, noise=0.0, seed=0):
    """What ``response_draws`` wants of a search of ``count`` random trainings, except the name."""
    rng = np.random.default_rng(seed)
    cube = UnitCube(space)
    params = [cube.params(point) for point in rng.random((count, cube.dims))]
    trainings = [
        Training(cube.features(each), 0.0, i % 3, {0: value(each) + noise * rng.standard_normal()})
        for i, each in enumerate(params)
    ]
    points = np.stack([cube.point(each) for each in params])
    return FinalValueModel(trainings, cube.groups, 1), cube, PriorDensity(space, cube), points


def test_best_and_mean_over_the_other_are_those_of_the_surface():
    space = SearchSpace({"a": uniform(0, 1), "b": uniform(0, 1)})

    def value(params):
        return 0.9 - 0.1 * (params["a"] - params["b"]) ** 2

    made, cube, density, points = searched(space, value, 60)
    draws = response_draws(made, cube, density, "a", points)
    a = np.array(draws.values)
    assert draws.best.mean(axis=0) == pytest.approx(np.full(len(a), 0.9), abs=0.003)  # b can follow a
    truth = 0.9 - 0.1 * ((a - 0.5) ** 2 + 1 / 12)
    assert draws.mean.mean(axis=0) == pytest.approx(truth, abs=0.003)


def test_only_settings_at_which_it_is_in_use_count():
    space = SearchSpace({"mode": choice(["on", "off"]), "strength": when(uniform(0, 1), mode="on")})

    def value(params):
        return 0.9 if params["mode"] == "off" else 0.8 - 0.05 * (params["strength"] - 0.3) ** 2

    made, cube, density, points = searched(space, value, 30)
    draws = response_draws(made, cube, density, "strength", points)
    assert draws.best.mean(axis=0).max() == pytest.approx(0.8, abs=0.01)
    modes = response_draws(made, cube, density, "mode", points)
    assert modes.values == ("on", "off")
    assert modes.best.mean(axis=0) == pytest.approx([0.8, 0.9], abs=0.01)


def test_whole_numbers_are_looked_at_once_each_and_ranges_only_where_asked():
    space = SearchSpace({"layers": integer(1, 5), "rate": loguniform(1e-3, 1.0)})
    made, cube, density, points = searched(space, lambda params: 0.9 - 0.01 * params["layers"], 20)
    assert response_draws(made, cube, density, "layers", points).values == (1, 2, 3, 4, 5)
    rates = response_draws(made, cube, density, "rate", points, low=1 / 3, high=2 / 3).values
    assert (min(rates), max(rates)) == pytest.approx((1e-2, 1e-1))


@pytest.mark.parametrize("count", [12, 24])
def test_interval_of_the_peak_covers_it(count):
    """Smooth surfaces with a peak anywhere: the interval must cover it in 95 % of cases, or a little less."""
    space = SearchSpace({"a": uniform(0, 1)})
    covered = []
    for seed in range(60):
        rng = np.random.default_rng([seed, 1])
        peak, width = rng.uniform(0.1, 0.9), rng.uniform(0.15, 0.4)

        def value(params, peak=peak, width=width):
            return 0.9 + 0.02 * np.exp(-0.5 * ((params["a"] - peak) / width) ** 2)

        made, cube, density, points = searched(space, value, count, noise=0.004, seed=seed)
        draws = response_draws(made, cube, density, "a", points)
        low, high = np.quantile(draws.units[draws.best.argmax(axis=1)], [0.025, 0.975])
        covered.append(low - 0.01 <= peak <= high + 0.01)
    assert np.mean(covered) >= 0.88

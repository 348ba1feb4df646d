"""The regret of a pick by joint draws, against draws from the same posterior that are made another way."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from search_spaces import SearchSpace, loguniform
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.regret import regret
from tune_reg.surrogate.space_points import space_points
from tune_reg.surrogate.unit_cube import UnitCube

SPACE = SearchSpace({"strength": loguniform(1e-4, 1.0)})
CUBE = UnitCube(SPACE)
POINTS = space_points(CUBE, PriorDensity(SPACE, CUBE), near=np.array([0.5]))


def model(count, *, noise=0.004, seed=0):
    """A search whose best strength is at coordinate 0.6."""
    rng = np.random.default_rng(seed)
    units = rng.random(count)
    values = 0.9 - 0.05 * (units - 0.6) ** 2 + noise * rng.standard_normal(count)
    trainings = [
        Training(np.array([u]), 0.0, i % 3, {0: v}) for i, (u, v) in enumerate(zip(units, values, strict=True))
    ]
    return FinalValueModel(trainings, CUBE.groups, 1), units


def covariance_of(made, scales, units):
    """The posterior covariance of final values, from the inverse of the covariance of the observations."""

    def kernel(first, second):
        distance = np.sqrt(5) * np.abs(np.subtract.outer(first, second)) / scales.lengths[0]
        return (1 + distance + distance**2 / 3) * np.exp(-distance)

    def worth(first, second):
        return scales.amplitude**2 * kernel(first, second) + 25

    trained = np.array([t.features[0] for t in made.trainings])
    seeds = np.array([t.seed for t in made.trainings])
    one_seed = seeds[:, None] == seeds
    of_seeds = scales.seed**2 + scales.seed_worth**2 * kernel(trained, trained)
    observed = worth(trained, trained) + of_seeds * one_seed
    observed[np.diag_indices_from(observed)] += scales.noise**2 + 1e-8
    cross = worth(trained, units)
    return worth(units, units) - cross.T @ np.linalg.inv(observed) @ cross


def test_covariance_is_that_of_the_formula():
    made, _ = model(8)
    units = np.linspace(0, 1, 11)
    expected = made.expect(units[:, None], np.zeros(11))
    assert expected.covariance == pytest.approx(covariance_of(made, made._process.scales, units), abs=1e-7)
    assert np.sqrt(np.diagonal(expected.covariance)) == pytest.approx(expected.deviation, rel=1e-6)


def test_regret_is_that_of_independent_draws():
    made, units = model(8)
    pick = int(made.expect_trainings().mean.argmax())
    every = np.concatenate([units, POINTS.points[:, 0]])
    draws = []
    for process in made._plausible:  # equally likely
        mean = process.expect(every[:, None], np.zeros(len(every))).mean
        covariance = covariance_of(made, process.scales, every)
        posterior = multivariate_normal(mean, covariance, allow_singular=True, seed=1)
        draws.append(made.scale.value(posterior.rvs(10_000)))
    draws = np.concatenate(draws)
    behind = draws.max(axis=1) - draws[:, pick]
    found = regret(made, pick, POINTS.features, POINTS.prior)
    assert found.mean == pytest.approx(behind.mean(), rel=0.08)
    assert found.deviation == pytest.approx(behind.std(), rel=0.08)


def test_scales_of_few_trials_are_less_sure_than_those_of_many():
    def spread(made):
        return np.std([np.log(process.scales.noise) for process in made._plausible])

    few, many = model(6)[0], model(90)[0]
    assert spread(few) > 2 * spread(many)
    assert len({process.scales.noise for process in few._plausible}) > 1
    top = many._process.scales.noise
    assert [process.scales.noise for process in many._plausible] == pytest.approx([top] * 4, rel=0.3)


def test_regret_is_the_same_each_time_and_shrinks_with_trials():
    few, many = (model(count)[0] for count in (5, 60))
    picks = [int(made.expect_trainings().mean.argmax()) for made in (few, many)]
    first, second = (
        regret(made, pick, POINTS.features, POINTS.prior) for made, pick in zip((few, many), picks, strict=True)
    )
    assert regret(few, picks[0], POINTS.features, POINTS.prior) == first
    assert second.mean < first.mean / 2
    assert second.deviation < first.deviation


def test_a_bad_pick_has_the_regret_that_it_has():
    made, units = model(60, noise=0.001)
    worst = int(np.abs(units - 0.6).argmax())
    found = regret(made, worst, POINTS.features, POINTS.prior)
    assert found.mean == pytest.approx(0.05 * (units[worst] - 0.6) ** 2, abs=3 * found.deviation)
    assert found.deviation < found.mean / 4


def test_points_of_a_larger_space_fill_it_and_lie_near_the_pick():
    space = SearchSpace({"a": loguniform(1e-4, 1.0), "b": loguniform(1e-4, 1.0)})
    cube = UnitCube(space)
    points = space_points(cube, PriorDensity(space, cube), near=np.array([0.2, 0.9])).points
    cells = {tuple(cell) for cell in (points * 8).astype(int).clip(0, 7).tolist()}
    assert len(cells) == 64
    assert (np.abs(points - [0.2, 0.9]).max(axis=1) < 0.05).sum() > 20
    assert points.min() >= 0
    assert points.max() <= 1

"""The Gaussian process beside its own docstring, worked out pair by pair in float64, and on data drawn from it."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tune_reg.surrogate.gaussian_process import GaussianProcess, Points, Scales, _Likelihood

#: Two hyperparameters: a range, and a choice of two values, each with a feature of its own.
GROUPS = np.array([0, 1, 1])
RUNGS = 3
SCALES = Scales(np.array([0.4, 0.7]), 1.1, 0.2, 0.3, 0.45, 0.6, 0.15)
FLAT, WEIGHT, WEIGHT_VARIANCE, JITTER = 25.0, 0.5, 0.25, 1e-8


def some_points(rng, count, *, trained=True):
    """``count`` points: of trainings that were seen at two rungs each, or of new ones."""
    of = np.arange(count) // 2 if trained else np.arange(count)
    units, priors, seeds = rng.random((count, 3)), -4 * rng.random(count), rng.integers(0, 3, count)
    rungs = np.array([(i % 2 + of[i] % 2) if trained else i % RUNGS for i in range(count)])
    return Points(units[of], of if trained else np.full(count, -1), rungs, seeds[of], priors[of])


def some_process(count=12):
    rng = np.random.default_rng(3)
    points = some_points(rng, count)
    values = -2 + rng.standard_normal(count)
    return GaussianProcess(points, values, GROUPS, RUNGS, SCALES), points, values


def matern(a, b):
    squares = [sum((a[i] - b[i]) ** 2 for i in range(3) if GROUPS[i] == group) for group in (0, 1)]
    distance = math.sqrt(5 * sum(s / length**2 for s, length in zip(squares, SCALES.lengths, strict=True)))
    return (1 + distance + distance**2 / 3) * math.exp(-distance)


def worth(unit, prior, other_unit, other_prior):
    """The covariance of m + c q(x) + f(x)."""
    return FLAT + WEIGHT_VARIANCE * prior * other_prior + SCALES.amplitude**2 * matern(unit, other_unit)


def observed(points, i, other, j):
    """The covariance of what is observed at two points, term by term."""
    total = worth(points.unit[i], points.prior[i], other.unit[j], other.prior[j])
    same_training = points.training[i] == other.training[j] and points.training[i] >= 0
    if points.seed[i] == other.seed[j]:
        total += SCALES.seed**2 + SCALES.seed_worth**2 * matern(points.unit[i], other.unit[j])
    if same_training:
        total += SCALES.noise**2
    gains, others = range(points.rung[i], RUNGS - 1), range(other.rung[j], RUNGS - 1)
    for _ in set(gains) & set(others):
        total += FLAT + SCALES.gain**2 * matern(points.unit[i], other.unit[j])
        if same_training:
            total += SCALES.gain_noise**2
    return total


def own_variance(points, i):
    """The variance of what is observed at a point, whose training may be a new one."""
    gains = RUNGS - 1 - points.rung[i]
    noise = SCALES.noise**2 + gains * SCALES.gain_noise**2
    return observed(points, i, points, i) + (noise if points.training[i] < 0 else 0.0)


def inverse_of(points):
    covariance = np.array([[observed(points, i, points, j) for j in range(len(points))] for i in range(len(points))])
    return np.linalg.inv(covariance + JITTER * np.eye(len(points)))


def queries(points):
    """Later rungs of trainings that were seen, and trainings that were not."""
    new = some_points(np.random.default_rng(8), 5, trained=False)
    seen = points.at(np.array([0, 4, 9]))
    later = Points(seen.unit, seen.training, np.full(3, RUNGS - 1), seen.seed, seen.prior)
    return later.joined(new)


def test_what_it_predicts_is_the_normal_distribution_given_the_values():
    process, points, values = some_process()
    asked = queries(points)
    mean, variance = process.predict(asked)
    inverse = inverse_of(points)
    residual = values - WEIGHT * points.prior
    for q in range(len(asked)):
        cross = np.array([observed(points, i, asked, q) for i in range(len(points))])
        assert mean[q] == pytest.approx(WEIGHT * asked.prior[q] + cross @ inverse @ residual, abs=1e-6)
        assert variance[q] == pytest.approx(own_variance(asked, q) - cross @ inverse @ cross, abs=1e-6)


def test_what_it_expects_has_neither_the_noise_of_a_training_nor_what_its_seed_does():
    process, points, values = some_process()
    rng = np.random.default_rng(9)
    unit, prior = rng.random((6, 3)), -rng.random(6)
    expected = process.expect(unit, prior)
    deviation = expected.deviation
    changes = expected.changes(queries(points))
    inverse = inverse_of(points)
    residual = values - WEIGHT * points.prior
    crosses = np.array(
        [[worth(points.unit[i], points.prior[i], unit[q], prior[q]) for q in range(6)] for i in range(len(points))]
    )
    asked = queries(points)
    for q in range(6):
        cross = crosses[:, q]
        assert expected.mean[q] == pytest.approx(WEIGHT * prior[q] + cross @ inverse @ residual, abs=1e-6)
        variance = worth(unit[q], prior[q], unit[q], prior[q]) - cross @ inverse @ cross
        assert deviation[q] == pytest.approx(math.sqrt(variance), abs=1e-6)
        for p in range(len(asked)):
            seen = np.array([observed(points, i, asked, p) for i in range(len(points))])
            together = worth(asked.unit[p], asked.prior[p], unit[q], prior[q]) - seen @ inverse @ cross
            spread = math.sqrt(own_variance(asked, p) - seen @ inverse @ seen)
            assert changes[p, q] == pytest.approx(together / spread, abs=1e-6)


def test_an_observation_moves_the_means_as_it_was_said_to():
    """The change of a mean that is told beforehand is what comes out where the value is one deviation high."""
    process, points, values = some_process()
    unit, prior = np.random.default_rng(5).random((4, 3)), np.full(4, -0.5)
    point = queries(points).at(np.array([5]))
    mean, variance = process.predict(point)
    told = process.expect(unit, prior).mean + process.expect(unit, prior).changes(point)[0]
    point = Points(point.unit, np.array([99]), point.rung, point.seed, point.prior)  # it is a training now
    after = GaussianProcess(points.joined(point), np.append(values, mean + np.sqrt(variance)), GROUPS, RUNGS, SCALES)
    assert after.expect(unit, prior).mean == pytest.approx(told, abs=1e-6)


def test_believing_moves_no_mean_and_leaves_less_to_learn():
    process, points, _ = some_process()
    under_way = queries(points).at(np.array([0, 3]))
    under_way = Points(under_way.unit, np.array([0, 99]), under_way.rung, under_way.seed, under_way.prior)
    unit = np.concatenate([under_way.unit, np.random.default_rng(6).random((20, 3))])
    prior = np.full(len(unit), -1.0)
    before, after = process.expect(unit, prior), process.believing(under_way).expect(unit, prior)
    assert after.mean == pytest.approx(before.mean, abs=1e-6)
    assert np.all(after.deviation <= before.deviation + 1e-9)
    assert np.all(after.deviation[1] < 0.95 * before.deviation[1])


def drawn(scales, *, rungs, count=60, seed=0):
    """Points of one hyperparameter, three seeds, every training seen at every rung; and values drawn from the model."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(rng.random((count, 1)), rungs, axis=0)
    of = np.repeat(np.arange(count), rungs)
    points = Points(unit, of, np.tile(np.arange(rungs), count), of % 3, np.zeros(count * rungs))
    groups = np.array([0])
    known = GaussianProcess(points, np.zeros(len(points)), groups, rungs, scales)
    values = np.linalg.cholesky(known.covariance(points, points) + 1e-9 * np.eye(len(points))) @ rng.standard_normal(
        len(points)
    )
    return points, values, groups


def scales_with(**changes):
    of_seeds = {"seed": 0.1, "seed_worth": 0.1}
    usual = {"lengths": np.array([0.3]), "amplitude": 1.0, "noise": 0.2, **of_seeds, "gain": 0.3, "gain_noise": 0.2}
    return Scales(**{**usual, **changes})


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("lengths", 0.12, 0.7), ("amplitude", 0.5, 2.0), ("noise", 0.07, 0.7), ("gain_noise", 0.05, 0.6)],
)
def test_scales_are_found_again_in_what_was_drawn_with_them(name, low, high):
    found = []
    for value in (low, high):
        chosen = scales_with(**{name: np.array([value]) if name == "lengths" else value})
        points, values, groups = drawn(chosen, rungs=2, count=45)
        fitted = getattr(GaussianProcess(points, values, groups, 2).scales, name)
        found.append(float(np.ravel(fitted)[0]))
    assert found[0] < math.sqrt(low * high) < found[1]
    assert all(value / 2.5 < was < value * 2.5 for was, value in zip(found, (low, high), strict=True))


def test_the_levels_of_seeds_are_told_from_what_configurations_are_worth():
    """Level and worth are known apart, once every seed was trained on many configurations."""
    fitted = []
    for level in (0.02, 2.0):
        points, values, groups = drawn(scales_with(seed=level), rungs=1)
        fitted.append(GaussianProcess(points, values, groups, 1).scales.seed)
    assert fitted[1] > 2 * fitted[0]


def test_what_single_seeds_prefer_is_told_from_noise_and_leaves_the_best_in_doubt():
    """Three seeds that agree say more of the worth of configurations than three that each prefer others."""
    fitted, doubts = [], []
    for preference in (0.05, 0.8):
        points, values, groups = drawn(scales_with(seed_worth=preference), rungs=1)
        process = GaussianProcess(points, values, groups, 1)
        fitted.append(process.scales.seed_worth)
        expected = process.expect(points.unit, points.prior)
        draws = expected.draws(500)
        doubts.append(float((draws.max(axis=1) - draws[:, expected.mean.argmax()]).mean()))
    assert fitted[1] > 3 * fitted[0]
    assert doubts[1] > 2 * doubts[0]


def test_the_likelihood_is_that_of_the_normal_distribution_and_its_slope_is_its_own():
    _, points, values = some_process()
    squares = np.stack(
        [np.sum((points.unit[:, None, cols] - points.unit[None, :, cols]) ** 2, axis=-1) for cols in ([0], [1, 2])]
    )
    likelihood = _Likelihood(points, values, squares, RUNGS)
    for draw in np.exp(0.3 * np.random.default_rng(1).standard_normal((7, 2 + 6))):
        scales = Scales(draw[:2], *draw[2:])
        covariance = GaussianProcess(points, values, GROUPS, RUNGS, scales).covariance(points, points)
        known = multivariate_normal(np.zeros(len(values)), covariance + JITTER * np.eye(len(values)))
        value, slope = likelihood(draw)
        assert value == pytest.approx(known.logpdf(values) + len(values) / 2 * math.log(2 * math.pi), rel=1e-6)
        steps = 1e-5 * np.eye(len(draw))
        measured = [(likelihood(draw * np.exp(s))[0] - likelihood(draw * np.exp(-s))[0]) / 2e-5 for s in steps]
        assert slope == pytest.approx(measured, rel=1e-4, abs=1e-5)


def test_it_is_fitted_alike_each_time_and_to_late_rungs_where_there_are_many():
    points, values, groups = drawn(scales_with(), rungs=2, count=100)
    whole = GaussianProcess(points, values, groups, 2).scales
    again = GaussianProcess(points, values, groups, 2).scales
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
    # Values at the first rung cannot change what the last ones say alone.
    early = np.where(points.rung == 0, values + 100 * np.sin(values), values)
    assert np.array_equal(whole.noise, GaussianProcess(points, early, groups, 2).scales.noise)

import numpy as np
import pytest
from scipy.interpolate import BSpline

from analysis.statistics.smoothing import Smoother


def noisy(n, seed=0, noise=0.01):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-3, 2, n))
    return x, 0.9 - 0.01 * (x + 1) ** 2 + 0.01 * np.sin(3 * x) + rng.normal(0, noise, n)


def basis(x):
    place = (x - x.min()) / np.ptp(x)
    return BSpline(np.arange(-3, 13) / 9, np.eye(12), 3)(np.clip(place, 0, 1 - 1e-12))


def mixed_model(x, y, ratios):
    """The curve and its variance as a mixed model: a free quadratic, the rest of the spline random, dense formulas.

    ``ratios``: variances of the random part over that of the noise, averaged by their restricted likelihood.
    """
    spline = basis(x)
    third = np.diff(np.eye(12), n=3, axis=0)
    free = spline @ np.linalg.svd(third)[2][9:].T
    rest = spline @ np.linalg.pinv(third)
    n, q = len(y), 3
    deviances, fits, variances = [], [], []
    for ratio in ratios:
        covariance = np.eye(n) + ratio * rest @ rest.T
        inverse = np.linalg.inv(covariance)
        gram = free.T @ inverse @ free
        fixed = np.linalg.solve(gram, free.T @ inverse @ y)
        residual = y - free @ fixed
        power = residual @ inverse @ residual
        logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(gram)[1]
        deviances.append(logs + (n - q) * np.log(power))
        fits.append(free @ fixed + ratio * rest @ rest.T @ inverse @ residual)
        # var(fit - truth): the truth is free b + rest u, and y the truth with noise. Prediction of a linear form.
        both = ratio * rest @ rest.T
        slack = free - both @ inverse @ free
        variance = both - both @ inverse @ both + slack @ np.linalg.solve(gram, slack.T)
        variances.append(power / (n - q) * np.diag(variance))
    weights = np.exp(-(np.array(deviances) - min(deviances)) / 2)
    weights /= weights.sum()
    mean = weights @ np.array(fits)
    return weights, mean, np.sqrt(weights @ (np.array(variances) + (np.array(fits) - mean) ** 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_curve_and_error_are_those_of_the_mixed_model(seed):
    x, y = noisy(40, seed)
    unit = np.trace(basis(x).T @ basis(x)) / 12
    weights, mean, error = mixed_model(x, y, 1 / (unit * 10.0 ** np.linspace(-5, 5, 61)))
    smoother = Smoother(x, y)
    np.testing.assert_allclose(smoother.weights, weights, atol=1e-4)
    curve = smoother.at(x)
    np.testing.assert_allclose(curve.mean, mean, atol=1e-5)
    np.testing.assert_allclose(curve.error, error, rtol=1e-3)


def test_a_quadratic_stays_one():
    x, _ = noisy(30)
    rng = np.random.default_rng(5)
    y = 0.9 - 0.02 * x**2 + rng.normal(0, 0.01, 30)
    smoother = Smoother(x, y)
    smoother.weights = np.eye(61)[-1]
    np.testing.assert_allclose(smoother.at(x).mean, np.polyval(np.polyfit(x, y, 2), x), atol=1e-4)


@pytest.mark.parametrize("waves", [0.0, 0.01])
def test_band_covers_the_truth_on_average(waves):
    grid = np.linspace(-2.5, 1.5, 40)
    covered = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = np.sort(rng.uniform(-3, 2, 60))
        y, truth = (0.9 - 0.01 * (at + 1) ** 2 + waves * np.sin(2 * at) for at in (x, grid))
        curve = Smoother(x, y + rng.normal(0, 0.01, 60)).at(grid)
        covered.append(np.mean((curve.low <= truth) & (truth <= curve.high)))
    # Means of 100 coverages, each with a standard deviation of about 0.1.
    assert 0.91 <= np.mean(covered) <= 0.99


def test_peaks_are_those_of_the_refitted_curves():
    x, y = noisy(50)
    smoother, grid = Smoother(x, y), np.linspace(-2.5, 1.5, 101)
    smoother.weights = np.eye(61)[30]
    unit = np.trace(basis(x).T @ basis(x)) / 12  # the middle of the penalties is one unit
    peaks = smoother.resampled_peaks(grid, 5, np.random.default_rng(1))
    draws = np.random.default_rng(1).integers(0, 50, (5, 50))
    third = np.diff(np.eye(12), n=3, axis=0)
    rows = BSpline(np.arange(-3, 13) / 9, np.eye(12), 3)((grid - x.min()) / np.ptp(x))
    for taken, peak in zip(draws, peaks, strict=True):
        smoother = basis(x)[taken]
        beta = np.linalg.solve(smoother.T @ smoother + unit * third.T @ third, smoother.T @ (y[taken] - y.mean()))
        assert grid[np.argmax(rows @ beta)] == peak


def test_peak_of_a_clear_curve_is_found():
    rng = np.random.default_rng(2)
    x = rng.uniform(-6, -1, 60)
    y = 0.95 - 0.01 * (x + 3) ** 2 + rng.normal(0, 0.004, 60)
    grid = np.linspace(-6, -1, 201)
    smoother = Smoother(x, y)
    assert grid[np.argmax(smoother.at(grid).mean)] == pytest.approx(-3, abs=0.15)
    low, high = np.quantile(smoother.resampled_peaks(grid, 200, np.random.default_rng(0)), (0.025, 0.975))
    assert low <= -3 <= high
    assert high - low < 0.5


def test_equal_values_are_a_flat_curve():
    x = np.linspace(0, 1, 10)
    curve = Smoother(x, np.full(10, 0.5)).at(x)
    np.testing.assert_allclose(curve.mean, 0.5)
    np.testing.assert_allclose(curve.error, 0, atol=1e-6)

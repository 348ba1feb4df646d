"""A Gaussian process of the final values of trainings, of the gains on the way to them, and of what seeds do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri, dtrtrs
from scipy.optimize import minimize
from scipy.special import ndtri
from scipy.stats import qmc

Vector = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Variance of what is flat: the mean, and the mean gain from one rung to the next. Large beside values of about 1.
_FLAT: Final = 25.0
#: What is known beforehand enters the mean with a weight about N(0.5, 0.5^2).
_PRIOR_WEIGHT: Final = 0.5
_PRIOR_WEIGHT_VARIANCE: Final = 0.25
_JITTER: Final = 1e-8

#: Draws from the prior of the scales, a power of 2, and steps uphill from the best of them at most.
_DRAWS: Final = 16
_STEPS: Final = 25

#: Of the posterior of scales: the least curvature that its normal approximation has, and the step of its differences.
_LEAST_CURVATURE: Final = 0.5
_STEP: Final = 1e-3

#: In standard deviations of the prior; further away a covariance may have no inverse.
_FURTHEST: Final = 4.0
#: Values that the scales are fitted to at most.
_MOST_FITTED: Final = 96

#: Median and deviation of the logarithm of each scale but the length scales, in the order of ``Scales``.
_PRIORS: Final = ((1.0, 0.5), (0.3, 0.8), (0.5, 1.0), (0.3, 0.8), (0.5, 0.7), (0.25, 0.8))
_LENGTH: Final = (0.3, 0.5)


class Scales(NamedTuple):
    """Standard deviations of the parts of a value, and the length scale of each hyperparameter."""

    lengths: Vector  # [hyperparameters]
    amplitude: float  # of what a configuration is worth
    noise: float  # of one training
    seed: float  # of the level of a seed
    seed_worth: float  # of what a configuration is worth more on one seed than on others
    gain: float  # of what a configuration gains from one rung to the next
    gain_noise: float  # of that gain in one training


@dataclass(frozen=True)
class Points:
    """Trainings at which something was observed, or might be: one row for each training and rung.

    ``unit`` [n, k]: the features of the configuration, hyperparameters scaled to [0, 1]. ``training``: which training,
    so that two rungs of one share its noise. ``rung``: index of the rung, from 0. ``seed``: which seed. ``prior``: log
    density of what is known beforehand, without its constant.
    """

    unit: Vector
    training: Indices
    rung: Indices
    seed: Indices
    prior: Vector

    def __len__(self) -> int:
        return len(self.unit)

    def joined(self, other: Points) -> Points:
        """These points and those of ``other``."""
        return Points(
            *(np.concatenate([mine, others]) for mine, others in zip(self._arrays, other._arrays, strict=True))
        )

    def at(self, indices: Indices) -> Points:
        """Some of these points."""
        return Points(
            self.unit[indices], self.training[indices], self.rung[indices], self.seed[indices], self.prior[indices]
        )

    @property
    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.unit, self.training, self.rung, self.seed, self.prior


class GaussianProcess:
    """Final values of trainings as a Gaussian process, with the values at earlier rungs.

    The value of training i of configuration x on seed j, at the last rung, is
    ``m + c q(x) + f(x) + s_j + g_j(x) + e_i``. At an earlier rung it is less by the gains from each rung to the next,
    each ``c_r + h_r(x) + t_ir``. f, g_j and h_r are Gaussian processes with a Matern 5/2 covariance and one length
    scale a hyperparameter; s, e and t are white; m and c_r are flat; q is the log density of what is known beforehand,
    and c its weight, about N(0.5, 0.5^2). The scales are those of the largest posterior under log-normal priors, uphill
    from the best of a few draws.

    ``groups`` [k]: the hyperparameter that each feature belongs to. ``rungs``: how many there are.
    """

    def __init__(
        self, points: Points, values: Vector, groups: Indices, rungs: int, scales: Scales | None = None
    ) -> None:
        self._points = points
        self._groups = groups
        self._rungs = rungs
        self._values = values
        residual = values - _PRIOR_WEIGHT * points.prior
        self.scales = scales or self._fit()
        covariance = self.covariance(points, points)
        covariance[np.diag_indices_from(covariance)] += _JITTER
        self._factor = np.linalg.cholesky(covariance)
        self._whitened = solve_triangular(self._factor, residual, lower=True)

    # What is expected

    def predict(self, points: Points) -> tuple[Vector, Vector]:
        """Mean and variance of what a training would have at each point, its noise included."""
        solved = self._solved(self.covariance(self._points, points))
        mean = _PRIOR_WEIGHT * points.prior + solved.T @ self._whitened
        variance = self._variances(points) - np.sum(solved**2, axis=0)
        return mean, np.maximum(variance, _JITTER)

    def expect(self, unit: Vector, prior: Vector) -> Expected:
        """The final values of configurations [n, k], without the noise of a training and without what its seed does."""
        cross = self._worth(self._points.unit, self._points.prior, unit, prior)
        return Expected(self, unit, prior, self._solved(cross))

    def believing(self, points: Points) -> GaussianProcess:
        """This process, were the values at ``points`` what is expected of them; its scales stay."""
        expected, _ = self.predict(points)
        values = np.concatenate([self._values, expected])
        return GaussianProcess(self._points.joined(points), values, self._groups, self._rungs, self.scales)

    def _solved(self, cross: Vector) -> Vector:
        solved: Vector = solve_triangular(self._factor, cross, lower=True, check_finite=False)
        return solved

    # Covariances

    def covariance(self, first: Points, second: Points) -> Vector:
        """The covariance of two sets of points [n, m]."""
        scales = self.scales
        kernel = _kernel(self._squares(first.unit, second.unit), scales.lengths)
        one_training = first.training[:, None] == second.training
        one_seed = first.seed[:, None] == second.seed
        gaps = self._rungs - 1 - np.maximum(first.rung[:, None], second.rung)
        covariance: Vector = (
            (scales.amplitude**2 + scales.seed_worth**2 * one_seed + gaps * scales.gain**2) * kernel
            + (scales.noise**2 + gaps * scales.gain_noise**2) * one_training
            + scales.seed**2 * one_seed
            + _FLAT * (1 + gaps)
            + _PRIOR_WEIGHT_VARIANCE * np.outer(first.prior, second.prior)
        )
        return covariance

    def _variances(self, points: Points) -> Vector:
        scales = self.scales
        gaps = self._rungs - 1 - points.rung
        variance: Vector = (
            scales.amplitude**2
            + scales.noise**2
            + scales.seed**2
            + scales.seed_worth**2
            + _FLAT
            + _PRIOR_WEIGHT_VARIANCE * points.prior**2
            + gaps * (scales.gain**2 + scales.gain_noise**2 + _FLAT)
        )
        return variance

    def _worth(self, unit: Vector, prior: Vector, other: Vector, other_prior: Vector) -> Vector:
        """The covariance of what configurations are worth [n, m]."""
        kernel = _kernel(self._squares(unit, other), self.scales.lengths)
        worth: Vector = (
            self.scales.amplitude**2 * kernel + _FLAT + _PRIOR_WEIGHT_VARIANCE * np.outer(prior, other_prior)
        )
        return worth

    def _squares(self, first: Vector, second: Vector) -> Vector:
        """Squared distances by hyperparameter [hyperparameters, n, m]."""
        squares: Vector = np.stack(
            [
                np.sum((first[:, None, columns] - second[None, :, columns]) ** 2, axis=-1)
                for columns in (self._groups == group for group in range(int(self._groups.max()) + 1))
            ]
        )
        return squares

    # Its scales

    def plausible(self, count: int) -> list[GaussianProcess]:
        """This process with other scales, ``count`` draws of them from their posterior, always the same ones.

        16 from the normal distribution that fits the posterior at its top (Laplace's approximation), of which
        ``count`` are drawn again by their weights; those that are drawn more often stand so many times.
        """
        posterior = _ScalePosterior.of(self._points, self._values, self._squares, self._rungs)
        top = posterior.standard(self.scales)
        values, vectors = np.linalg.eigh(posterior.curvature(top))
        spread = vectors / np.sqrt(np.maximum(values, _LEAST_CURVATURE))
        normal = _normal_draws(len(top), _DRAWS)
        drawn = np.clip(top + normal @ spread.T, -_FURTHEST, _FURTHEST)
        weights = np.array([posterior.value(each) for each in drawn]) + 0.5 * np.sum(normal**2, axis=1)
        shares = np.cumsum(np.exp(weights - weights.max()))
        chosen = np.searchsorted(shares / shares[-1], (np.arange(count) + 0.5) / count)
        made = {
            int(i): GaussianProcess(self._points, self._values, self._groups, self._rungs, posterior.scales(drawn[i]))
            for i in np.unique(chosen)
        }
        return [made[int(i)] for i in chosen]

    def _fit(self) -> Scales:
        posterior = _ScalePosterior.of(self._points, self._values, self._squares, self._rungs)

        def loss(standard: Vector) -> tuple[float, Vector]:
            value, slope = posterior(standard)
            return -value, -slope

        start = max(_normal_draws(posterior.dims, _DRAWS), key=posterior.value)
        bounds = [(-_FURTHEST, _FURTHEST)] * len(start)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
        return posterior.scales(found.x)


class _ScalePosterior:
    """The log posterior of scales, and its slope, by their logarithms in units of their priors."""

    def __init__(self, likelihood: _Likelihood, lengths: int) -> None:
        self._likelihood = likelihood
        self._lengths = lengths
        self._medians = np.log([_LENGTH[0] * np.sqrt(lengths)] * lengths + [median for median, _ in _PRIORS])
        self._spreads = np.array([_LENGTH[1]] * lengths + [spread for _, spread in _PRIORS])

    @classmethod
    def of(
        cls, points: Points, values: Vector, squares: Callable[[Vector, Vector], Vector], rungs: int
    ) -> _ScalePosterior:
        """By the values at some points; of many by those of the latest rungs: the time grows with their cube."""
        chosen = np.sort(np.argsort(-points.rung, kind="stable")[:_MOST_FITTED])
        points = points.at(chosen)
        residual = values[chosen] - _PRIOR_WEIGHT * points.prior
        by_hyperparameter = squares(points.unit, points.unit)
        return cls(_Likelihood(points, residual, by_hyperparameter, rungs), len(by_hyperparameter))

    @property
    def dims(self) -> int:
        """How many scales there are."""
        return len(self._medians)

    def value(self, standard: Vector) -> float:
        """The log posterior alone."""
        value = self._likelihood.value(np.exp(self._medians + self._spreads * standard))
        return value - 0.5 * float(standard @ standard)

    def __call__(self, standard: Vector) -> tuple[float, Vector]:
        value, slope = self._likelihood(np.exp(self._medians + self._spreads * standard))
        return value - 0.5 * float(standard @ standard), self._spreads * slope - standard

    def scales(self, standard: Vector) -> Scales:
        """The scales at a point."""
        lengths, others = np.split(np.exp(self._medians + self._spreads * standard), [self._lengths])
        return Scales(lengths, *others.tolist())

    def standard(self, scales: Scales) -> Vector:
        """The point of scales."""
        every = np.concatenate([scales.lengths, scales[1:]])
        standard: Vector = (np.log(every) - self._medians) / self._spreads
        return standard

    def curvature(self, standard: Vector) -> Vector:
        """Minus the second derivatives at a point, from differences of slopes."""
        _, slope = self(standard)
        rows = [(slope - self(standard + step)[1]) / _STEP for step in _STEP * np.eye(len(standard))]
        curvature: Vector = 0.5 * (np.array(rows) + np.array(rows).T)
        return curvature


class _Factored(NamedTuple):
    """The log likelihood at some scales, the Cholesky factor of the covariance, and what the slope takes of the way."""

    value: float
    factor: Vector  # [n, n]
    whitened: Vector  # [n]
    distance: Vector  # this and those below [pairs]
    decay: Vector
    kernel: Vector
    height: Vector


class _Likelihood:
    """The log likelihood of scales, and its slope by the logarithm of each.

    With ``a = K^-1 y`` the slope by a scale s is ``sum((a a' - K^-1) * dK/dlog s) / 2``. As all of these matrices are
    symmetric, what is computed by elements is computed for one half of them, the pairs.
    """

    def __init__(self, points: Points, residual: Vector, squares: Vector, rungs: int) -> None:
        rows, columns = np.tril_indices(len(points))
        self._rows, self._columns = rows, columns
        self._places = rows * len(points) + columns  # of the pairs in a whole matrix
        self._residual, self._squares = residual, squares[:, rows, columns]
        self._one_training = (points.training[rows] == points.training[columns]).astype(float)
        one_seed = points.seed[rows] == points.seed[columns]
        gaps = rungs - 1 - np.maximum(points.rung[rows], points.rung[columns])
        self._masks = np.stack([np.ones(len(rows)), one_seed, gaps])
        _, self._one_seed, self._gaps = self._masks
        self._flat = _FLAT * (1 + self._gaps) + _PRIOR_WEIGHT_VARIANCE * points.prior[rows] * points.prior[columns]
        self._flat[rows == columns] += _JITTER
        # Half of an element of the diagonal counts for the slope, and half of each of the two that a pair stands for.
        self._share = np.where(rows == columns, 0.5, 1.0)

    def value(self, scales: Vector) -> float:
        """The log likelihood alone, in half the time."""
        return self._at(scales).value

    def __call__(self, scales: Vector) -> tuple[float, Vector]:
        at = self._at(scales)
        lengths, (amplitude, noise, seed, seed_worth, gain, gain_noise) = scales[:-6], scales[-6:] ** 2
        solved, _ = dtrtrs(at.factor.T, at.whitened)
        inverse, _ = dpotri(at.factor.T)
        weight = self._share * (solved[self._rows] * solved[self._columns] - inverse.T.ravel()[self._places])
        of_lengths = weight * at.height * (1 + at.distance) * at.decay
        of_kernel = self._masks @ (weight * at.kernel)
        of_training = self._masks @ (weight * self._one_training)
        slopes = [
            2 * amplitude * of_kernel[0],
            2 * noise * of_training[0],
            2 * seed * (weight @ self._one_seed),
            2 * seed_worth * of_kernel[1],
            2 * gain * of_kernel[2],
            2 * gain_noise * of_training[2],
        ]
        return at.value, np.concatenate([(5 / 3) * (self._squares @ of_lengths) / lengths**2, slopes])

    def _at(self, scales: Vector) -> _Factored:
        lengths, (amplitude, noise, seed, seed_worth, gain, gain_noise) = scales[:-6], scales[-6:] ** 2
        distance = _distance(self._squares, lengths)
        decay = np.exp(-distance)
        kernel = (1 + distance + distance**2 / 3) * decay
        height = amplitude + seed_worth * self._one_seed + gain * self._gaps
        width = noise + gain_noise * self._gaps
        covariance = np.zeros((len(self._residual), len(self._residual)))
        covariance.ravel()[self._places] = (
            height * kernel + width * self._one_training + seed * self._one_seed + self._flat
        )
        factor = cholesky(covariance, lower=True, check_finite=False)  # reads one half alone
        whitened: Vector = dtrtrs(factor.T, self._residual, trans=1)[0]
        value = -0.5 * float(whitened @ whitened) - float(np.log(np.diagonal(factor)).sum())
        return _Factored(value, factor, whitened, distance, decay, kernel, height)


class Expected:
    """What a Gaussian process expects of configurations: mean, covariance, and how an observation would change it."""

    def __init__(self, process: GaussianProcess, unit: Vector, prior: Vector, solved: Vector) -> None:
        self._process = process
        self._unit, self._prior, self._solved = unit, prior, solved
        self.mean: Vector = _PRIOR_WEIGHT * prior + solved.T @ process._whitened

    @property
    def deviation(self) -> Vector:
        """The standard deviation of the final value of each configuration."""
        scales = self._process.scales
        prior = scales.amplitude**2 + _FLAT + _PRIOR_WEIGHT_VARIANCE * self._prior**2
        deviation: Vector = np.sqrt(np.maximum(prior - np.sum(self._solved**2, axis=0), _JITTER))
        return deviation

    @property
    def covariance(self) -> Vector:
        """The covariance of the final values of the configurations [n, n]."""
        prior = self._process._worth(self._unit, self._prior, self._unit, self._prior)
        covariance: Vector = prior - self._solved.T @ self._solved
        return covariance

    def draws(self, count: int, seed: int = 0) -> Vector:
        """Joint draws of the final values of the configurations [count, n]."""
        covariance = self.covariance
        covariance[np.diag_indices_from(covariance)] += _JITTER
        factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        standard = np.random.default_rng(seed).standard_normal((count, len(factor)))
        drawn: Vector = self.mean + standard @ factor.T
        return drawn

    def changes(self, points: Points) -> Vector:
        """By how much each mean moves where the value at a point is one standard deviation high [points, n]."""
        process = self._process
        solved = process._solved(process.covariance(process._points, points))
        cross = process._worth(points.unit, points.prior, self._unit, self._prior) - solved.T @ self._solved
        variance = process._variances(points) - np.sum(solved**2, axis=0)
        changes: Vector = cross / np.sqrt(np.maximum(variance, _JITTER))[:, None]
        return changes


def _distance(squares: Vector, lengths: Vector) -> Vector:
    """Sqrt(5) times the distances [n, m] in units of the length scales, from squared ones by hyperparameter."""
    scaled = (5 / lengths**2) @ squares.reshape(len(lengths), -1)
    distance: Vector = np.sqrt(scaled).reshape(squares.shape[1:])
    return distance


def _kernel(squares: Vector, lengths: Vector) -> Vector:
    """Matern 5/2 [n, m] from squared distances by hyperparameter and length scales [hyperparameters]."""
    distance = _distance(squares, lengths)
    kernel: Vector = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return kernel


@functools.cache
def _normal_draws(dims: int, count: int) -> Vector:
    """Evenly spread draws of a standard normal distribution [count, dims]; the first is at its median."""
    even = qmc.Sobol(dims, seed=0).random(count)
    draws: Vector = ndtri(np.clip(even, 1e-6, 1 - 1e-6))
    draws[0] = 0.0
    draws.flags.writeable = False
    return draws

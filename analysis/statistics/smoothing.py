"""A curve through noisy trials: a penalised spline that is a quadratic where the data ask for no more."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.statistics.intervals import CONFIDENCE, Array

#: Fewest points and fewest distinct x that are given a curve.
MINIMUM: Final = 6
MINIMUM_PLACES: Final = 4

_BASIS: Final = 12
_DEGREE: Final = 3
_FREE: Final = 3  # polynomials up to a quadratic are not penalised
#: Tried, as multiples of the mean of the normal matrix's diagonal.
_PENALTIES: Final = 10.0 ** np.linspace(-5, 5, 61)
_RIDGE: Final = 1e-8


class Curve(NamedTuple):
    """A fitted curve at ``x``; each array has the shape of ``x``, float64."""

    x: Array
    mean: Array
    error: Array  # standard error of the mean, not the spread of single trials
    low: Array  # ends of the 95 % band of the mean
    high: Array


class Smoother:
    """Penalised cubic B-splines (Eilers and Marx 1996) with a penalty on third differences.

    With a large penalty the fit is the least-squares quadratic, the usual response surface of a strength with one
    optimum; the data can bend it. The curve is averaged over penalties, each with the weight of its restricted
    likelihood (Wood 2011): a single penalty would be taken for certain, and its band would be too narrow. The band
    of each penalty is the Bayesian one (Nychka 1988), whose coverage is right on average over x. The cost is linear
    in the number of points. ``x``, ``y``: [n], float64, with ``MINIMUM_PLACES`` distinct x at least; in log where
    strengths are.

    >>> x = np.linspace(0, 1, 20)
    >>> curve = Smoother(x, 1 - (x - 0.3) ** 2).at(np.array([0.3]))
    >>> bool(abs(curve.mean[0] - 1) < 1e-6)
    True
    """

    def __init__(self, x: Array, y: Array) -> None:
        self._low, self._width = float(x.min()), float(np.ptp(x))
        self._basis = self._spline(x)
        self._y = y - y.mean()
        self._centre = float(y.mean())
        differences = np.diff(np.eye(_BASIS), n=_FREE, axis=0)
        gram, moment, power = self._basis.T @ self._basis, self._basis.T @ self._y, float(self._y @ self._y)
        # The ridge is nothing beside the data. A bootstrap sample may leave out so many x that a quadratic is
        # not determined without it.
        unit = float(np.trace(gram)) / _BASIS
        penalties = unit * _PENALTIES[:, None, None]
        self._added = penalties * (differences.T @ differences) + _RIDGE * unit * np.eye(_BASIS)
        self._inverses = np.linalg.inv(gram + self._added)
        self._betas = self._inverses @ moment
        # A perfect fit has a likelihood without bound.
        left = np.maximum(1e-12 * max(power, 1e-12), power - self._betas @ moment)
        self._variances = left / (len(y) - _FREE)
        deviance = (
            (len(y) - _FREE) * np.log(left)
            + np.linalg.slogdet(gram + self._added)[1]
            - (_BASIS - _FREE) * np.log(penalties[:, 0, 0])
        )
        likelihood = np.exp(-(deviance - deviance.min()) / 2)
        #: The weight of each penalty, [penalties], which sum to one.
        self.weights: Array = likelihood / likelihood.sum()

    def at(self, x: Array) -> Curve:
        """The fitted curve at ``x``, [m], inside the range of the data."""
        from scipy import stats

        rows = self._spline(x)
        means = self._betas @ rows.T
        mean = self.weights @ means
        within = self._variances[:, None] * np.einsum("ij,pjk,ik->pi", rows, self._inverses, rows)
        error = np.sqrt(self.weights @ (np.maximum(0.0, within) + (means - mean) ** 2))
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(self._y) - _FREE)) * error
        return Curve(x, self._centre + mean, error, self._centre + mean - half, self._centre + mean + half)

    def resampled_peaks(self, x: Array, resamples: int, rng: np.random.Generator) -> Array:
        """Where on ``x`` the curve is highest, refitted to ``resamples`` bootstrap samples of the points; [resamples].

        Each refit has one of the penalties, drawn by its weight.
        """
        n = len(self._y)
        draws = rng.integers(0, n, (resamples, n)) + n * np.arange(resamples)[:, None]
        weights = np.bincount(draws.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
        squares = np.einsum("ni,nj->nij", self._basis, self._basis).reshape(n, -1)
        grams = (weights @ squares).reshape(resamples, _BASIS, _BASIS)
        moments = (weights * self._y) @ self._basis
        added = self._added[rng.choice(len(self.weights), resamples, p=self.weights)]
        betas = np.linalg.solve(grams + added, moments[:, :, None])[:, :, 0]
        peaks: Array = x[np.argmax(betas @ self._spline(x).T, axis=1)]
        return peaks

    def _spline(self, x: Array) -> Array:
        from scipy.interpolate import BSpline

        inner = _BASIS - _DEGREE
        knots = np.arange(-_DEGREE, inner + _DEGREE + 1) / inner
        position = np.clip((x - self._low) / self._width, 0.0, 1.0)
        design: Array = BSpline.design_matrix(position, knots, _DEGREE).toarray()
        return design

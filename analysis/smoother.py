"""A curve through noisy trials: a penalised spline that is a quadratic where the data ask for no more."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import CONFIDENCE

Array: TypeAlias = NDArray[np.float64]

#: Fewest points and fewest distinct places that are given a curve.
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
    optimum; the data can bend it. The penalty is picked by restricted maximum likelihood (Wood 2011), the band is
    the Bayesian one (Nychka 1988), whose coverage is right on average over x. The cost is linear in the number of
    points. ``x``, ``y``: [n], float64, with ``MINIMUM_PLACES`` distinct x at least; in log where strengths are.

    >>> x = np.linspace(0, 1, 20)
    >>> curve = Smoother(x, 1 - (x - 0.3) ** 2).at(np.array([0.3]))
    >>> bool(abs(curve.mean[0] - 1) < 1e-6)
    True
    """

    def __init__(self, x: Array, y: Array) -> None:
        self._low, self._width = float(x.min()), float(np.ptp(x))
        self._basis = self._spline(x)
        self._y = y
        self._centre = float(y.mean())
        differences = np.diff(np.eye(_BASIS), n=_FREE, axis=0)
        self._roughness = differences.T @ differences
        self.penalty = self._pick()

    def at(self, x: Array) -> Curve:
        """The curve at ``x``, [m], inside the range of the data."""
        from scipy import stats

        gram, moment, power = self._normal()
        inverse = np.linalg.inv(gram + self._penalised(gram))
        beta = inverse @ moment
        variance = max(0.0, power - float(moment @ beta)) / (len(self._y) - _FREE)
        rows = self._spline(x)
        mean = self._centre + rows @ beta
        error = np.sqrt(np.maximum(0.0, variance * np.einsum("ij,jk,ik->i", rows, inverse, rows)))
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(self._y) - _FREE)) * error
        return Curve(x, mean, error, mean - half, mean + half)

    def resampled_peaks(self, x: Array, resamples: int, rng: np.random.Generator) -> Array:
        """Where on ``x`` the curve is highest, refitted to ``resamples`` bootstrap samples of the points; [resamples].

        The penalty stays as it was picked.
        """
        n = len(self._y)
        draws = rng.integers(0, n, (resamples, n)) + n * np.arange(resamples)[:, None]
        weights = np.bincount(draws.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
        squares = np.einsum("ni,nj->nij", self._basis, self._basis).reshape(n, -1)
        grams = (weights @ squares).reshape(resamples, _BASIS, _BASIS)
        moments = (weights * (self._y - self._centre)) @ self._basis
        betas = np.linalg.solve(grams + self._penalised(grams), moments[:, :, None])[:, :, 0]
        peaks: Array = x[np.argmax(betas @ self._spline(x).T, axis=1)]
        return peaks

    def _penalised(self, gram: Array) -> Array:
        # A bootstrap sample may leave out so many places that a quadratic is not determined; the ridge is
        # nothing beside the data.
        trace = np.trace(gram, axis1=-2, axis2=-1)[..., None, None]
        matrix: Array = self.penalty * self._roughness + _RIDGE / _BASIS * trace * np.eye(_BASIS)
        return matrix

    def _spline(self, x: Array) -> Array:
        from scipy.interpolate import BSpline

        inner = _BASIS - _DEGREE
        knots = np.arange(-_DEGREE, inner + _DEGREE + 1) / inner
        place = np.clip((x - self._low) / self._width, 0.0, 1.0)
        design: Array = BSpline.design_matrix(place, knots, _DEGREE).toarray()
        return design

    def _normal(self) -> tuple[Array, Array, float]:
        y = self._y - self._centre
        return self._basis.T @ self._basis, self._basis.T @ y, float(y @ y)

    def _pick(self) -> float:
        gram, moment, power = self._normal()
        penalties = _PENALTIES[::-1] * np.trace(gram) / _BASIS
        best, picked = np.inf, float(penalties[0])
        floor = 1e-12 * max(power, 1e-12)  # a perfect fit has a likelihood without bound
        for penalty in penalties:
            matrix = gram + penalty * self._roughness
            sign, logdet = np.linalg.slogdet(matrix)
            if sign <= 0:
                continue
            left = max(floor, power - float(moment @ np.linalg.solve(matrix, moment)))
            deviance = (len(self._y) - _FREE) * np.log(left) + logdet - (_BASIS - _FREE) * np.log(penalty)
            if deviance < best - 1e-9:
                best, picked = deviance, float(penalty)
        return picked

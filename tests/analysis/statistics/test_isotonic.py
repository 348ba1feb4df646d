import numpy as np
from scipy import optimize

from analysis.statistics.isotonic import isotonic


def test_isotonic_is_scipys():
    rng = np.random.default_rng(0)
    curves = rng.normal(size=(50, 6)) + np.linspace(0, 1, 6)
    expected = [optimize.isotonic_regression(row).x for row in curves]
    np.testing.assert_allclose(isotonic(curves), expected, atol=1e-12)

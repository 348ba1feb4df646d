import pytest

from analysis.statistics import holm


def test_holm_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_statsmodels():
    # statsmodels 0.15.0: multipletests(p, method="holm")[1]
    p = [0.0625, 0.031, 0.002, 0.4, 0.0078, 0.031, 1.0, 0.25]
    assert holm(p) == pytest.approx([0.25, 0.186, 0.016, 0.8, 0.0546, 0.186, 1.0, 0.75], abs=1e-12)


def test_holm_never_exceeds_one_and_skips_untested():
    assert holm([0.6, None, 0.9]) == [1.0, None, 1.0]

"""The levels of looks: what they are, and that all together spend what they may."""

import math

import numpy as np
import pytest
from scipy import stats

from tune_reg.decisions import LOOKS, nominal_levels
from tune_reg.decisions.looks import spent_levels

STATED = {
    1: (0.0180, 0.0120, 0.0138, 0.0207),
    2: (0.0090, 0.0055, 0.0064, 0.0097),
    3: (0.0061, 0.0035, 0.0041, 0.0063),
    7: (0.0026, 0.0015, 0.0016, 0.0025),
}


@pytest.fixture(scope="module")
def null_p():
    """Two-sided p at each look of normal differences without effect, by scipy's own test [look, difference]."""
    values = np.random.default_rng(0).standard_normal((200_000, LOOKS[-1]))
    return np.array([stats.ttest_1samp(values[:, :n], 0, axis=1).pvalue for n in LOOKS])


@pytest.mark.parametrize("methods", STATED)
def test_the_levels_of_few_methods_are_the_stated_ones(methods):
    assert nominal_levels(LOOKS, methods) == STATED[methods]


@pytest.mark.parametrize("methods", [1, 2, 3, 4, 5, 7])
def test_each_look_takes_what_it_may_of_differences_without_effect(methods, null_p):
    studies = null_p.shape[1]
    left = np.ones(studies, dtype=bool)
    total = 0.0
    for p, level, spent in zip(null_p, nominal_levels(LOOKS, methods), spent_levels(LOOKS, methods), strict=True):
        taken = np.mean(left & (p < level))
        error = math.sqrt(spent / studies)
        assert abs(taken - spent) < 0.05 * spent + 3 * error, "the stated rows are rounded, by up to 4 %"
        left &= p >= level
        total += taken
    assert total < 1.04 * 0.05 / methods + 3 * math.sqrt(0.05 / methods / studies)


def test_a_method_more_has_stricter_levels_up_to_where_each_look_has_what_it_spends():
    levels = np.array([nominal_levels(LOOKS, methods) for methods in range(1, 32)])
    assert (np.diff(levels[:-1], axis=0) < 0).all()
    assert levels[-1] == pytest.approx(spent_levels(LOOKS, 31))
    assert (levels[:-1] > np.array([spent_levels(LOOKS, q) for q in range(1, 31)]) - 5e-5).all()


def test_other_looks_have_the_level_that_they_spend():
    assert nominal_levels((10,), 4) == pytest.approx((0.0125,))
    for looks in ((4, 8), (5, 8, 12, 24), (3, 5, 8, 12, 20, 30)):
        levels = nominal_levels(looks, 3)
        assert len(levels) == len(looks)
        assert sum(levels) == pytest.approx(0.05 / 3)
        assert min(levels) > 0

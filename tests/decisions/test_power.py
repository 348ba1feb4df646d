"""Power beside scipy's noncentral t and beside simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from tune_reg.decisions import equivalence_power, power, smallest_difference, smallest_margin


@pytest.mark.parametrize("n", [2, 3, 5, 20, 100])
@pytest.mark.parametrize("level", [0.05, 0.0026])
@pytest.mark.parametrize("effect", [0.0, 0.3, 1.0, 4.0])
def test_power_is_that_of_the_noncentral_t(n, level, effect):
    critical = stats.t.isf(level / 2, n - 1)
    expected = stats.nct.sf(critical, n - 1, effect * math.sqrt(n)) + stats.nct.sf(
        critical, n - 1, -effect * math.sqrt(n)
    )
    assert power(effect * 0.01, n, 0.01, level) == pytest.approx(expected, abs=1e-6)
    assert power(-effect * 0.01, n, 0.01, level) == power(effect * 0.01, n, 0.01, level)


@pytest.mark.parametrize("n", [2, 5, 20])
@pytest.mark.parametrize("level", [0.05, 0.0097])
def test_the_smallest_difference_is_told_in_four_of_five_cases(n, level):
    difference = smallest_difference(n, 0.005, level)
    assert power(difference, n, 0.005, level) == pytest.approx(0.8, abs=1e-3)
    assert smallest_difference(n, 0.010, level) == pytest.approx(2 * difference)


def test_one_seed_tells_nothing():
    assert power(1.0, 1, 0.01, 0.05) == 0
    assert smallest_difference(1, 0.01, 0.05) == math.inf
    assert equivalence_power(1.0, 1, 0.01, 0.05) == 0


@pytest.mark.parametrize(("n", "margin"), [(20, 1.0), (20, 0.75), (20, 0.5), (8, 2.0), (5, 3.0)])
def test_how_often_a_margin_is_shown_is_as_simulated(n, margin):
    values = np.random.default_rng(n).standard_normal((40_000, n))
    half = stats.t.isf(0.0097 / 2, n - 1) * stats.sem(values, axis=1)
    shown = np.mean(np.abs(values.mean(axis=1)) + half < margin)
    assert equivalence_power(margin * 0.01, n, 0.01, 0.0097) == pytest.approx(shown, abs=0.01)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_the_smallest_margin_is_shown_in_four_of_five_cases(n):
    assert equivalence_power(smallest_margin(n, 0.005, 0.0097), n, 0.005, 0.0097) == pytest.approx(0.8, abs=1e-3)
    assert smallest_margin(1, 0.005, 0.0097) == math.inf


def test_a_margin_well_below_the_spread_is_hardly_ever_shown_by_twenty_seeds():
    assert equivalence_power(0.5, 20, 1.0, 0.0097) < 0.05
    assert equivalence_power(1.0, 20, 1.0, 0.0097) > 0.8

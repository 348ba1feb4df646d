import numpy as np
import pytest
from scipy import stats

from analysis.statistics import pairs_needed
from tune_reg.decisions import mean_test


def power(mean, n, level):
    """The chance that a two-sided t test of n pairs of spread 1 rejects, above 0."""
    return stats.nct.sf(stats.t.ppf(1 - level / 2, n - 1), n - 1, mean * np.sqrt(n))


@pytest.mark.parametrize("mean", [0.3, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("level", [0.05, 0.05 / 300])
def test_so_many_pairs_are_the_fewest_that_reject_in_four_of_five(mean, level):
    n = pairs_needed(mean, 1.0, level)
    assert power(abs(mean), n, level) >= 0.8 - 1e-3
    assert power(abs(mean), n - 1, level) < 0.8 + 1e-3


def test_the_unit_changes_nothing():
    assert pairs_needed(0.01, 0.01, 0.05) == pairs_needed(1.0, 1.0, 0.05)


@pytest.mark.parametrize("comparisons", [1, 250, 251, 10_000])
def test_a_number_of_pairs_is_known_for_any_number_of_comparisons(comparisons):
    """Tests by 9,999 random sign flips could not reject with more than 250."""
    assert pairs_needed(1.0, 1.0, 0.05 / comparisons) is not None


def test_luck_of_the_searches_needs_more_pairs_or_is_never_overcome():
    alone = pairs_needed(1.0, 1.0, 0.05)
    assert alone < pairs_needed(1.0, 1.0, 0.05, shift_variance=0.02)
    assert alone < pairs_needed(1.0, 1.0, 0.05, shift=-0.3)
    assert pairs_needed(1.0, 1.0, 0.05, shift_variance=1 / 1.96**2) is None
    assert pairs_needed(1.0, 1.0, 0.05, shift=-1.1) is None


def test_with_luck_so_many_pairs_reject_in_four_of_five():
    shift, variance = -0.2, 0.04
    n = pairs_needed(1.0, 1.0, 0.05, shift=shift, shift_variance=variance)
    rng = np.random.default_rng(1)
    rejected = [
        mean_test(list(rng.normal(1.0, 1.0, n)), shift=rng.normal(shift, 0.2), shift_variance=variance).p <= 0.05
        for _ in range(1_500)
    ]
    assert np.mean(rejected) == pytest.approx(0.8, abs=0.05)


def test_no_difference_needs_no_pairs():
    assert pairs_needed(0.0, 1.0, 0.05) is None
    assert pairs_needed(1e-9, 1.0, 0.05) is None

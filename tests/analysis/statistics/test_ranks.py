import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.ranks import critical_difference, friedman_p


def friedman_by_hand(ranks):
    """All ways to permute the ranks within the studies, one after the other."""

    def spread(table):
        return sum((sum(column) / len(table) - (len(table[0]) + 1) / 2) ** 2 for column in zip(*table, strict=True))

    observed = spread(ranks)
    all_ways = list(itertools.product(*(list(itertools.permutations(row)) for row in ranks)))
    return sum(spread(way) >= observed - 1e-9 for way in all_ways) / len(all_ways)


@pytest.mark.parametrize(
    "ranks", [[(1, 2, 3), (1, 3, 2), (1, 2, 3)], [(1, 2, 3)] * 4, [(1.5, 1.5, 3), (3, 1, 2), (2, 1, 3)], [(1, 2)] * 6]
)
def test_friedman_against_enumeration(ranks):
    assert friedman_p(np.array(ranks, dtype=float)) == pytest.approx(friedman_by_hand(ranks), abs=1e-12)


def test_friedman_of_many_studies_nears_the_chi_square():

    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 4)) + np.array([0.0, 0.1, 0.3, 0.5])
    ranks = stats.rankdata(values, axis=1)
    expected = stats.friedmanchisquare(*values.T).pvalue
    assert 0.001 < expected < 0.5
    assert friedman_p(ranks) == pytest.approx(expected, abs=0.02)


# q_0.05 of Demsar (2006), table 5a.
@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_against_the_published_table(k, q):
    assert critical_difference(12, k) == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * 12)), rel=5e-4)

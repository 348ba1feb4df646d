"""The knowledge gradient beside its closed form for two alternatives, and a mean over random draws for more."""

import numpy as np
import pytest
from scipy.stats import norm

from tune_reg.search.knowledge_gradient import expected_improvement, knowledge_gradient


def rise_of_two(a, b, spread):
    """``E[max(a, b + spread Z)] - max(a, b)``, which Clark gave in closed form in 1961."""
    d = (a - b) / spread
    return a * norm.cdf(d) + b * norm.cdf(-d) + spread * norm.pdf(d) - max(a, b)


@pytest.mark.parametrize("spread", [1e-3, 0.3, 2.0])
@pytest.mark.parametrize("ahead", [-2.0, -0.5, 0.0, 0.25, 1.0, 2.5])
def test_of_two_alternatives_it_is_the_closed_form(ahead, spread):
    """``ahead``: by how many deviations the one that stays as it is."""
    mean, changes = np.array([0.4 + ahead * spread, 0.4]), np.array([[0.0, spread]])
    known = rise_of_two(*mean, spread)
    assert knowledge_gradient(mean, changes)[0] == pytest.approx(known, abs=6e-3 * spread)


def test_of_many_alternatives_it_is_the_mean_over_random_draws():
    rng = np.random.default_rng(4)
    mean, changes = rng.standard_normal(12), rng.standard_normal((5, 12))
    z = rng.standard_normal(200_000)
    for row, found in zip(changes, knowledge_gradient(mean, changes), strict=True):
        draws = np.max(mean[:, None] + row[:, None] * z, axis=0)
        assert found == pytest.approx(draws.mean() - mean.max(), abs=0.02)


def test_what_moves_all_alike_or_nothing_is_worth_nothing():
    mean = np.array([0.1, 0.5, 0.3])
    assert knowledge_gradient(mean, np.array([[0.7] * 3, [0.0] * 3])) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_nothing_is_worth_less_than_nothing_and_more_spread_is_worth_more():
    rng = np.random.default_rng(2)
    mean, changes = rng.standard_normal(30), rng.standard_normal((200, 30))
    once, twice = knowledge_gradient(mean, changes), knowledge_gradient(mean, 2 * changes)
    assert np.all(once >= -1e-12)
    assert np.all(twice > once)


def test_many_observations_are_each_worth_what_it_is_alone():
    rng = np.random.default_rng(7)
    mean, changes = rng.standard_normal(9), rng.standard_normal((150, 9))
    alone = [knowledge_gradient(mean, row[None])[0] for row in changes]
    assert knowledge_gradient(mean, changes) == pytest.approx(alone, abs=1e-12)
    assert knowledge_gradient(mean, changes[:0]).shape == (0,)


def test_the_expected_improvement_is_the_mean_over_random_draws():
    mean, deviation = np.array([0.5, 0.2, -1.0, 0.5]), np.array([0.1, 0.6, 0.4, 0.0])
    z = np.random.default_rng(0).standard_normal(400_000)
    draws = np.maximum(mean[:, None] + deviation[:, None] * z - 0.5, 0.0)
    assert expected_improvement(mean, deviation) == pytest.approx(draws.mean(axis=1), abs=2e-3)

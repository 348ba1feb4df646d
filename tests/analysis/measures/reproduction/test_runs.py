import numpy as np
import pytest
from scipy import stats

from analysis.measures.reproduction.runs import trimmed


@pytest.mark.parametrize("n", [10, 17, 50])
def test_the_trimmed_mean_and_its_error_are_those_of_scipy(n):
    values = np.random.default_rng(n).standard_t(3, n)
    made = list(trimmed(dict(enumerate(values))).values())
    assert np.mean(made) == pytest.approx(stats.trim_mean(values, 0.1))
    cut = int(0.1 * n)
    winsorized = np.asarray(stats.mstats.winsorize(values, limits=(cut / n, cut / n)))
    error = winsorized.std(ddof=1) / ((1 - 2 * cut / n) * np.sqrt(n))  # Tukey and McLaughlin 1963
    assert np.std(made, ddof=1) / np.sqrt(n) == pytest.approx(error)


def test_few_values_stay_as_they_are():
    values = {seed: float(seed) for seed in range(9)}
    assert trimmed(values) == values

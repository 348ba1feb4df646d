import numpy as np
import pytest
from scipy import stats

from analysis.statistics import irregular, outliers
from tune_reg.decisions import difference_floor


def grubbs(values):
    """Grubbs' statistic and its critical value at 1 %, in the form of the textbooks."""
    n = len(values)
    t = stats.t.ppf(1 - 0.01 / (2 * n), n - 2)
    limit = (n - 1) / np.sqrt(n) * np.sqrt(t**2 / (n - 2 + t**2))
    return np.max(np.abs(values - np.mean(values))) / np.std(values, ddof=1), limit


@pytest.mark.parametrize("n", [3, 5, 8, 9])
def test_the_outlier_is_that_of_grubbs_test(n):
    rng = np.random.default_rng(n)
    flagged = 0
    for _ in range(200):
        values = rng.standard_t(2, n)
        statistic, limit = grubbs(values)
        expected = (np.argmax(np.abs(values - values.mean())),) if statistic > limit else ()
        assert irregular(values).outliers == expected
        flagged += bool(expected)
    assert flagged > (1 if n == 3 else 10)


def test_outliers_are_those_of_rosners_example():
    # Rosner (1983), as in the NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17.3: three outliers at 5 %.
    values = [
        *(-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70),
        *(1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40),
        *(2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01),
    ]
    assert irregular(values).outliers == ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outliers, "FLAG_LEVEL", 0.05)
        assert irregular(values).outliers == (53, 52, 51)


@pytest.mark.parametrize("n", [5, 10, 20])
def test_one_of_a_hundred_normal_samples_is_flagged(n):
    rng = np.random.default_rng(0)
    flags = [irregular(rng.normal(size=n)) for _ in range(2_000)]
    assert np.mean([bool(flag.outliers) for flag in flags]) == pytest.approx(0.01, abs=0.01)
    assert np.mean([flag.skewed for flag in flags]) == pytest.approx(0.01 * (n >= 8), abs=0.0075)


@pytest.mark.parametrize(("images", "flagged"), [(1, False), (2, False), (10, True)])
def test_a_test_image_or_two_from_equal_values_are_no_outlier(images, flagged):
    values = [0.0, 0.0, images / 360, 0.0, 0.0]
    assert (irregular(values, difference_floor(360)).outliers == (2,)) is flagged


def test_two_bad_runs_do_not_hide_each_other():
    values = [0.01, 0.011, 0.012, 0.009, 0.01, 0.0105, -0.05, 0.0095, 0.01, -0.06]
    assert irregular(values).outliers == (9, 6)


def test_skew_is_scipys_test_from_eight_values_on():
    values = list(np.random.default_rng(0).exponential(size=20))
    assert irregular(values).skewed == (stats.skewtest(values).pvalue <= 0.01)
    assert irregular(values).skewed
    assert not irregular(values[:7]).skewed

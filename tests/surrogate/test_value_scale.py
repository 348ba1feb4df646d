import math

import numpy as np
import pytest

from tune_reg.surrogate.value_scale import ValueScale

SEEN = np.array([0.1, 0.52, 0.8, 0.86, 0.9])


def test_the_best_stands_at_0_and_the_median_at_minus_log_2():
    scale = ValueScale.of(SEEN)
    assert scale.scaled(np.array([0.9, 0.8])) == pytest.approx([0.0, -math.log(2)])


def test_order_is_kept_and_bad_ones_do_not_stretch_what_is_between_good_ones():
    scaled = ValueScale.of(SEEN).scaled(SEEN)
    assert np.all(np.diff(scaled) > 0)
    with_worse = ValueScale.of(np.append(SEEN, [0.0, 0.95]))  # as many below the median as above it
    assert np.ptp(with_worse.scaled(np.array([0.0, 0.1]))) < np.ptp(with_worse.scaled(np.array([0.8, 0.9])))


@pytest.mark.parametrize(
    "seen",
    [SEEN, np.array([0.5]), np.array([0.7, 0.7, 0.7]), np.array([0.2, 0.7, 0.7, 0.7]), np.array([0.0, 1.0])],
    ids=["some", "one", "all agree", "most are the best", "extremes"],
)
def test_values_are_found_again_whatever_was_seen(seen):
    scale = ValueScale.of(seen)
    assert scale.spread > 0
    assert scale.value(scale.scaled(seen)) == pytest.approx(seen)
    assert np.all(np.isfinite(scale.scaled(np.array([0.0, seen.max()]))))


def test_no_accuracy_is_above_1_and_none_is_infinite():
    values = ValueScale.of(SEEN).value(np.array([-1e9, 0.5, 3.0, 1e9]))
    assert np.all(np.isfinite(values))
    assert values.max() <= 1.0


def test_mean_and_deviation_are_those_of_random_draws():
    scale = ValueScale.of(SEEN)
    mean, deviation = np.array([-0.1, -1.0, 0.0]), np.array([0.3, 0.1, 0.0])
    z = np.random.default_rng(0).standard_normal(400_000)
    drawn = np.minimum(scale.best - scale.spread * np.expm1(-(mean[:, None] + deviation[:, None] * z)), 1.0)
    means, deviations = scale.mean_and_deviation(mean, deviation)
    assert means == pytest.approx(drawn.mean(axis=1), abs=1e-3)
    assert deviations == pytest.approx(drawn.std(axis=1), abs=1e-3)
    assert (means[2], deviations[2]) == pytest.approx((0.9, 0.0), abs=1e-12)

"""What is expected of trainings on their way, at their end and diverged, and of configurations near them."""

import math

import numpy as np
import pytest

from tune_reg.surrogate.final_value_model import FinalValueModel, Training

GROUPS = np.array([0])
RUNGS = 2


def training(x, *values, seed=0, prior=0.0, **others):
    """A training at the coordinate ``x`` that has passed as many rungs as there are values."""
    return Training(np.array([x]), prior, seed, dict(enumerate(values)), **others)


def final(x):
    """A final accuracy that is best in the middle."""
    return 0.9 - 0.3 * (x - 0.5) ** 2


def whole(x, gain=0.1, **others):
    return training(x, final(x) - gain, final(x), **others)


def model(*trainings):
    return FinalValueModel(trainings, GROUPS, RUNGS)


def expect(made, *xs, prior=0.0):
    """Mean and deviation of the final accuracies at some coordinates."""
    return made.values(made.expect(np.array(xs)[:, None], np.full(len(xs), prior)))


WHOLE = [whole(x, seed=i % 3) for i, x in enumerate((0.05, 0.2, 0.35, 0.6, 0.75, 0.95))]


def test_a_smooth_response_is_found_between_what_was_trained():
    means, deviations = expect(model(*WHOLE), 0.28, 0.5, 0.85)
    assert means == pytest.approx([final(0.28), final(0.5), final(0.85)], abs=0.01)
    assert np.all(deviations < 0.03)


def test_a_paused_training_is_expected_to_gain_what_the_others_gained():
    made = model(*WHOLE, training(0.48, final(0.48) - 0.1))
    means, _ = made.values(made.expect_trainings())
    assert means[-1] == pytest.approx(final(0.48), abs=0.015)
    assert means[-1] > final(0.48) - 0.1 + 0.05


def test_one_that_learns_slowly_is_expected_to_gain_more_where_its_neighbours_did():
    """At the first rung the slow ones are far behind, and at the end ahead; a paused one of them is like its like."""
    slow = [training(x, 0.5, 0.9 + 0.001 * i, seed=i % 3) for i, x in enumerate((0.8, 0.87, 0.93, 0.98))]
    fast = [training(x, 0.75, 0.8 + 0.001 * i, seed=i % 3) for i, x in enumerate((0.02, 0.07, 0.13, 0.2))]
    made = model(*slow, *fast, training(0.9, 0.5), training(0.1, 0.75))
    means, _ = made.values(made.expect_trainings())
    assert means[-2] == pytest.approx(0.9, abs=0.03)
    assert means[-1] == pytest.approx(0.8, abs=0.03)


def test_one_that_diverged_pulls_down_its_neighbourhood_and_no_other():
    near, far = 0.97, 0.3
    before = expect(model(*WHOLE[:-1]), near, far)[0]
    lost = training(1.0, diverged=True)
    after = expect(model(*WHOLE[:-1], lost, training(0.98, diverged=True)), near, far)[0]
    assert after[0] < before[0] - 0.01
    assert abs(after[1] - before[1]) < 0.3 * (before[0] - after[0])


def test_one_that_diverged_after_a_good_start_counts_by_its_end():
    good_start = training(0.8, 0.89, diverged=True)
    assert expect(model(*WHOLE[:4], good_start), 0.8)[0][0] < final(0.8)


def test_one_under_way_moves_no_mean_and_leaves_less_to_learn_there():
    asked = np.array([[0.9], [0.1]]), np.zeros(2)
    before = model(*WHOLE[:3]).expect(*asked)
    after = model(*WHOLE[:3], training(0.9, under_way_to=1)).expect(*asked)
    assert after.mean == pytest.approx(before.mean, abs=1e-6)
    assert after.deviation[0] < 0.9 * before.deviation[0]
    assert after.deviation[1] <= before.deviation[1]


def test_the_luck_of_a_seed_is_no_worth_of_a_configuration():
    """All that were trained on seed 1 came out higher by the same: they are no better for it."""
    xs = np.linspace(0, 1, 12)
    lucky = [training(x, final(x) - 0.1, final(x) + (0.05 if i % 2 else 0.0), seed=i % 2) for i, x in enumerate(xs)]
    means = model(*lucky).values(model(*lucky).expect_trainings())[0]
    assert int(np.argmax(means)) in (5, 6)
    assert abs(means[5] - means[6]) < 0.02
    assert abs(means[0] - means[11]) < 0.04


def test_what_is_usual_is_expected_to_be_better_where_nothing_else_is_known():
    made = model(whole(0.5), whole(0.52, seed=1))
    usual, unusual = expect(made, 0.1, prior=0.0)[0][0], expect(made, 0.1, prior=-4.0)[0][0]
    assert usual > unusual


def test_the_values_of_a_training_are_read_at_the_rungs_that_they_stand_at():
    at_the_end = model(*WHOLE, training(0.4, final(0.4)))  # at the first rung as good as others at their end
    assert expect(at_the_end, 0.4)[0][0] > expect(model(*WHOLE), 0.4)[0][0]


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5)])
def test_a_single_training_is_enough(values):
    means, deviations = expect(model(training(0.5, *values)), 0.5, 0.9)
    assert np.all(np.isfinite([means, deviations]))
    assert np.all(deviations > 0)
    # What is gained on the way to the end is known only where a training came to it.
    assert deviations[0] > (0.1 if len(values) == 1 else 0.0)


def test_values_that_all_agree_and_trainings_that_all_diverged_but_one_are_taken():
    agree = model(*(training(x, 0.1, 0.1, seed=i) for i, x in enumerate((0.1, 0.5, 0.9))))
    assert expect(agree, 0.3)[0][0] == pytest.approx(0.1, abs=0.01)
    lost = model(whole(0.2), *(training(x, diverged=True) for x in (0.5, 0.7, 0.9)))
    assert all(math.isfinite(mean) for mean in expect(lost, 0.2, 0.9)[0])

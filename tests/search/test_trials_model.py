"""The trials of a search as trainings of the model of final values."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search_spaces import SearchSpace, uniform
from tune_reg.search.candidates import Candidates
from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.pauses import UNTIL, Standing
from tune_reg.search.trials_model import Reading, TrialsModel

RATE = uniform(0.0, 1.0)
SPACE = SearchSpace({"rate": RATE})
DISTRIBUTIONS = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}


@pytest.fixture
def reading():
    """Trainings of 9 epochs with a rung after 3, on three seeds in turn."""
    return Reading(SPACE, Candidates(SPACE, "dropout", seed=0, trials=8), (3, 9), 3)


def standing(number, curve, *, rate=0.5, until=None, state=TrialState.RUNNING, **attributes):
    last = max(curve, default=0)
    trial = create_trial(
        state=state,
        value=curve[last] if state == TrialState.COMPLETE else None,
        params={"rate": rate},
        distributions=DISTRIBUTIONS,
        intermediate_values=curve,
        user_attrs={UNTIL: last if until is None else until, **attributes},
    )
    trial.number = number
    return Standing.of(trial)


def test_a_paused_trial_is_a_training_with_its_value_at_the_rung(reading):
    (training,) = reading.trainings(standing(4, {1: 0.2, 2: 0.3, 3: 0.5}))
    assert (training.values, training.seed, training.under_way_to, training.diverged) == ({0: 0.5}, 1, None, False)


@pytest.mark.parametrize(("until", "rung"), [(3, 0), (9, 1)])
def test_a_trial_under_way_is_believed_to_come_to_where_it_trains(reading, until, rung):
    (training,) = reading.trainings(standing(0, {1: 0.2, 2: 0.3}, until=until))
    assert (training.values, training.under_way_to) == ({}, rung)


def test_a_trial_that_is_trained_again_is_two_trainings_on_two_seeds(reading):
    first, second = reading.trainings(standing(2, {3: 0.5, 9: 0.7, 12: 0.6}, until=18))
    assert (first.values, first.seed, first.under_way_to) == ({0: 0.5, 1: 0.7}, 2, None)
    assert (second.values, second.seed, second.under_way_to) == ({0: 0.6}, 0, 1)


def test_a_failed_trial_is_believed_to_come_to_its_next_rung_and_a_diverged_one_is_known_as_such(reading):
    (failed,) = reading.trainings(standing(0, {3: 0.5}, state=TrialState.FAIL))
    (diverged,) = reading.trainings(standing(0, {3: 0.5}, state=TrialState.FAIL, **{DIVERGED: True}))
    assert (failed.under_way_to, failed.diverged) == (1, False)
    assert (diverged.under_way_to, diverged.diverged) == (None, True)


def test_a_trial_whose_process_was_killed_while_it_asked_is_no_training(reading):
    assert reading.trainings(standing(0, {}, until=0)) == []


def test_without_a_value_there_is_no_model(reading):
    assert TrialsModel.of([standing(0, {1: 0.2}, until=3)], reading, shares=True) is None


def test_the_best_trial_has_the_highest_expected_value_and_no_other_hope_is_as_high(reading):
    values = {0: (0.1, 0.80), 1: (0.5, 0.90), 2: (0.9, 0.60)}
    trials = [
        standing(number, {3: value - 0.1, 9: value}, rate=rate, state=TrialState.COMPLETE)
        for number, (rate, value) in values.items()
    ]
    model = TrialsModel.of([*trials, standing(3, {1: 0.1}, rate=0.3, until=3)], reading, shares=True)
    expected = {each.number: each.mean for each in model.expected_values()}
    assert model.best == 1 == max(expected, key=expected.get)
    assert expected.keys() == values.keys()  # the one that has passed no rung has no expected value
    assert min(model.hopes()[1], 0) == 0
    assert model.hopes()[2] < model.hopes()[1]


def test_what_a_trial_would_be_seen_at_is_its_own_training_and_once_it_is_trained_again_a_new_one(reading):
    trials = [standing(0, {3: 0.5}), standing(1, {3: 0.4, 9: 0.6}, rate=0.2)]
    model = TrialsModel.of(trials, reading, shares=True)
    points = model.points(trials, [9, 12])
    assert points.training.tolist() == [0, -1]
    assert points.rung.tolist() == [1, 0]
    assert points.seed.tolist() == [0, 2]

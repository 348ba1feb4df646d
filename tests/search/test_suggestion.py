"""What a space that is a function gives for a trial: hyperparameters and ranges, or why it gives none."""

import optuna

from search_spaces import DefinedByRun, SearchSpace, uniform
from tune_reg.search.suggestion import suggested
from tune_reg.study import Task


def asked(space, given=None):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    if given is not None:
        study.enqueue_trial(given)
    return suggested(Task("mine", 1.0, space, 4), study.ask())


def bounded(trial):
    rate = trial.suggest_float("learning_rate", 0.5, 1.0)
    return {"learning_rate": rate, "weight_decay": trial.suggest_float("weight_decay", 0, rate)}


def test_the_ranges_of_a_function_are_those_of_the_trial():
    trial = asked(DefinedByRun(bounded))
    assert trial.refused is None
    assert trial.ranges == {
        "learning_rate": uniform(0.5, 1.0),
        "weight_decay": uniform(0, trial.params["learning_rate"]),
    }
    assert asked(SearchSpace({"weight_decay": uniform(0, 1)})).ranges is None


def test_what_a_function_makes_of_a_value_has_no_range():
    def by_exponent(trial):
        return {"weight_decay": 10 ** trial.suggest_float("weight_decay", -4, -1)}

    assert asked(DefinedByRun(by_exponent)).ranges == {}


def test_a_trial_that_the_function_ends_keeps_its_hyperparameters():
    def fickle(trial):
        strength = trial.suggest_float("weight_decay", 0, 1)
        exponent = trial.suggest_float("exponent", 0, 1)
        if strength == 0.25:
            raise optuna.TrialPruned
        if strength == 0.75:
            raise KeyError("mine")
        return {"weight_decay": strength, "learning_rate": 10**-exponent}

    space = DefinedByRun(fickle)
    pruned = asked(space, {"weight_decay": 0.25})
    assert pruned.refused == ("pruned", "its space pruned it before training")
    assert pruned.params == {"weight_decay": 0.25}
    failed = asked(space, {"weight_decay": 0.75})
    assert failed.refused.state == "failed"
    assert "fickle raised KeyError: 'mine' (" in failed.refused.reason
    assert f"{__file__}:" in failed.refused.reason


def test_a_starting_point_that_another_value_moves_out_of_its_range_is_not_trained():
    trial = asked(DefinedByRun(bounded), {"weight_decay": 0.99})
    assert trial.refused.state == "failed"
    assert "a starting point gives weight_decay = 0.99, outside its range there, 0 to 0.7" in trial.refused.reason

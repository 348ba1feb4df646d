import optuna
import pytest

from search_spaces import DefinedByRun, SpaceError, as_space, choice, uniform


def asked(space, n=60, seed=0):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(n)]


def by_hand(trial):
    mode = trial.suggest_categorical("mode", ["coupled", "decoupled"])
    exponent = trial.suggest_float("exponent", -4, -1)
    alpha = trial.suggest_float("alpha", 0, 8) if mode == "coupled" else 0.0
    return {"mode": mode, "weight_decay": 10**exponent, "alpha": alpha}


def test_a_function_of_a_trial_is_a_space():
    space = as_space(by_hand)
    assert isinstance(space, DefinedByRun)
    assert space.domains == {
        "mode": choice(["coupled", "decoupled"]),
        "exponent": uniform(-4, -1),
        "alpha": uniform(0, 8),
    }
    assert space.reference.endswith("test_define_by_run:by_hand")
    assert len(space.returned) == 64
    for values in asked(space):
        assert set(values) == {"mode", "weight_decay", "alpha"}
        assert 1e-4 <= values["weight_decay"] <= 1e-1
        assert values["mode"] == "coupled" or values["alpha"] == 0.0
    wider = space.extended("learning_rate", uniform(0, 1), start={})
    assert all("learning_rate" in values for values in asked(wider))
    assert space == DefinedByRun(by_hand) != wider


def test_a_function_that_fails_is_one_line():
    def failing(trial):
        raise RuntimeError("no\nluck")

    with pytest.raises(SpaceError, match=r"failing raised RuntimeError: no$"):
        as_space(failing)
    with pytest.raises(SpaceError, match="must return a mapping of hyperparameters to numbers or text, but got None"):
        as_space(lambda trial: None)

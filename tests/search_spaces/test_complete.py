"""``SearchSpace.complete`` against Optuna's FixedTrial, which it does without."""

import optuna
import pytest

from search_spaces import DefinedByRun, SearchSpace, SpaceError, choice, integer, loguniform, schedule, uniform, when
from tune_reg.regularizers import regularizers


def by_hand(trial):
    trial.set_user_attr("tried", True)
    mode = trial.suggest_categorical("mode", ["coupled", "decoupled"])
    exponent = trial.suggest_float("exponent", -4, -1)
    layers = trial.suggest_int("layers", 1, 3) if mode == "coupled" else 0
    return {"mode": mode, "weight_decay": 10**exponent, "layers": layers}


SPACES = {
    "conditions": SearchSpace(
        {
            "b": when(uniform(0.1, 1.0), annealing=["laplace", "logistic"]),
            "mode": "fast",
            "annealing": choice(["laplace", "logistic", "constant"]),
            "steps": when(integer(1, 4), annealing="constant"),
            "weight_decay": loguniform(1e-4, 1e-1),
        }
    ),
    "schedules": SearchSpace(
        {"weight_decay": schedule(["constant", "cosine"], value=1e-4, start=loguniform(1e-5, 1e-2)), "alpha": 4.0}
    ),
    "function": DefinedByRun(by_hand).extended("learning_rate", uniform(0, 1), start={}),
    "fixed": SearchSpace({"alpha": 4.0}),
    **{name: kind.space for name, kind in regularizers().items()},
    **{f"{name}, paper": kind.paper for name, kind in regularizers().items() if kind.paper is not None},
}


@pytest.mark.parametrize("name", SPACES)
def test_it_completes_values_as_a_fixed_trial_does(name):
    space = SPACES[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        params = space.suggest(trial)
        completed = space.complete(trial.params)
        assert completed == space.suggest(optuna.trial.FixedTrial(trial.params)) == params
        assert list(completed) == list(params)
        assert [type(value) for value in completed.values()] == [type(value) for value in params.values()]


def test_values_of_names_that_are_not_in_use_are_ignored():
    values = {"annealing": "constant", "b": 0.5, "steps": 2, "weight_decay": 1e-3, "strange": 1}
    expected = {"mode": "fast", "annealing": "constant", "steps": 2, "weight_decay": 1e-3}
    assert SPACES["conditions"].complete(values) == expected
    assert SPACES["conditions"].suggest(optuna.trial.FixedTrial(values)) == expected


def test_a_number_is_taken_as_it_is_and_a_whole_number_as_such():
    space = SearchSpace({"alpha": uniform(0, 1), "probes": integer(1, 4)})
    assert space.complete({"alpha": 7, "probes": 2.0}) == {"alpha": 7, "probes": 2}


def test_a_missing_value_and_a_choice_that_is_none_are_refused():
    space = SearchSpace({"alpha": uniform(0, 1), "mode": choice(["a", "b"])})
    with pytest.raises(SpaceError, match=r"^mode has no value; given are \['alpha'\]$"):
        space.complete({"alpha": 0.5})
    with pytest.raises(SpaceError, match=r"^mode must be one of \['a', 'b'\], but got 'c'$"):
        space.complete({"alpha": 0.5, "mode": "c"})
    for values in ({"alpha": 0.5}, {"alpha": 0.5, "mode": "c"}):
        with pytest.raises(ValueError, match=r"mode|c"):
            space.suggest(optuna.trial.FixedTrial(values))

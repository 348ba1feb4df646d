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

    with pytest.raises(SpaceError, match=r"failing raised RuntimeError: no luck$"):
        as_space(failing)
    with pytest.raises(SpaceError, match="must return a mapping of hyperparameters to numbers or text, but got None"):
        as_space(lambda trial: None)


def test_a_failure_without_a_text_or_by_sys_exit_is_named_by_its_type():
    def mute(trial):
        raise ValueError

    def ends(trial):
        raise SystemExit

    for function, rule in ((mute, "mute raised ValueError$"), (ends, "ends raised SystemExit$")):
        with pytest.raises(SpaceError, match=rule):
            as_space(function)


def bounded(trial):
    rate = trial.suggest_float("learning_rate", 1e-3, 1.0, log=True)
    return {"learning_rate": rate, "weight_decay": trial.suggest_float("weight_decay", 1e-6, rate)}


def test_a_range_that_depends_on_a_value_is_known_at_its_widest():
    assert as_space(bounded).domains["weight_decay"] == uniform(1e-6, 1.0)


def test_a_starting_point_fits_the_range_that_its_own_values_give():
    assert DefinedByRun(bounded, start=[{"learning_rate": 0.9, "weight_decay": 0.8}]).start
    assert DefinedByRun(bounded, start=[{"weight_decay": 0.05}]).start  # fits some learning rate
    outside = {"learning_rate": 0.01, "weight_decay": 0.02}
    rule = r"lies outside the range that the function asks for there: weight_decay=0.02, range 1e-06 to 0.01"
    with pytest.raises(SpaceError, match=rule):
        DefinedByRun(bounded, start=[outside])
    assert not as_space(bounded).admits(outside)
    with pytest.raises(SpaceError, match="a starting point gives alpha, which is not searched"):
        DefinedByRun(bounded, start=[{"alpha": 0.02}])


def half_pruned(trial):
    strength = trial.suggest_float("weight_decay", 0, 1)
    if strength > 0.5:
        raise optuna.TrialPruned
    return {"weight_decay": strength}


def test_a_function_may_prune():
    space = as_space(half_pruned)
    assert 0 < len(space.returned) < 64
    assert space.domains == {"weight_decay": uniform(0, 1)}
    with pytest.raises(SpaceError, match="a starting point is pruned by the function"):
        space.starting([{"weight_decay": 0.75}])


def test_a_function_that_prunes_everything_or_asks_for_nothing_is_refused():
    def all_pruned(trial):
        raise optuna.TrialPruned("never")

    def empty(trial):
        return {"weight_decay": 0.5}

    with pytest.raises(SpaceError, match="all_pruned prunes each of 64 random trials"):
        as_space(all_pruned)
    with pytest.raises(SpaceError, match="empty asks its trial for nothing"):
        as_space(empty)


def test_a_function_may_fail_at_the_very_end_of_a_range():
    def inverse(trial):
        share = trial.suggest_float("share", 0, 1)
        return {"weight_decay": trial.suggest_float("odds", 0, share / (1 - share))}

    assert as_space(inverse).domains["share"] == uniform(0, 1)

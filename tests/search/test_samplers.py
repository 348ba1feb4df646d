from typing import get_args

import optuna
import pytest

from search_spaces import DefinedByRun, SearchSpace, choice, integer, loguniform, uniform, when
from tune_reg.search import final_values, samplers
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.study import SearchSettings, Task
from tune_reg.study.settings import SamplerName

MIXED = SearchSpace({"weight_decay": loguniform(1e-6, 1e-1), "alpha": uniform(0, 8), "k": integer(1, 4)})
CHOICES = SearchSpace({"weight_decay": choice([1e-4, 1e-3, 1e-2]), "alpha": choice([0.0, 1.0, 2.0, 4.0])})
KINDS = SearchSpace({"x": uniform(0, 1), "kind": choice(["good", "bad"])})
#: Those that ask; "knowledge-gradient" is no sampler of Optuna's, but stands for one where its model cannot search.
NAMES = [name for name in get_args(SamplerName) if name != "knowledge-gradient"]
TRIALS = 24
EPOCH_S = 5.0  # long enough for a Gaussian process


def space_of(name):
    return CHOICES if name == "grid" else MIXED


def value_of(params, epoch):
    return 1 - (params["alpha"] - 3) ** 2 / 64 - 0.5 / (epoch + 1) - abs(params["weight_decay"] - 1e-3)


def search(path, name, *, new_each_trial, space=None, trials=TRIALS):
    path.mkdir()
    space = space or space_of(name)
    task = Task("adadecay", 1.0, space, trials)
    settings = SearchSettings(sampler=name, trials=trials, reduction_factor=2)
    asked, search_ = [], None
    for _ in range(trials):
        if search_ is None or new_each_trial:
            search_ = AskTell(path / "search.journal", [task], settings, epochs=4, seed=5)
        trial = search_.ask()
        asked.append(trial.params)
        if len(asked) == 7:
            search_.tell(trial, "diverged", reason="the loss is not finite", epoch_s=EPOCH_S)
            continue
        for epoch in range(1, 5):
            decision = search_.report(trial, epoch, value_of(trial.params, epoch))
            if epoch == 4:
                search_.tell(trial, "complete", value_of(trial.params, 4), epoch_s=EPOCH_S)
            elif decision is Decision.STOP:
                search_.tell(trial, "pruned", epoch_s=EPOCH_S)
                break
    return asked, search_


@pytest.mark.parametrize("name", NAMES)
def test_a_search_interrupted_after_each_trial_asks_what_the_uninterrupted_one_asks(tmp_path, name):
    trials = 12 if name == "grid" else TRIALS
    through, search_ = search(tmp_path / "a", name, new_each_trial=False, trials=trials)
    interrupted, _ = search(tmp_path / "b", name, new_each_trial=True, trials=trials)
    assert through == interrupted
    assert len({tuple(params.items()) for params in through}) == trials
    counts = search_.counts(search_.tasks[0])
    assert counts.complete > 1
    assert counts.pruned > 1
    assert counts.failed == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_that_was_running_is_asked_again_as_it_was_and_changes_nothing_after_it(tmp_path, name):
    task = Task("adadecay", 1.0, space_of(name), 12)

    def new_brain(path):
        return AskTell(path, [task], SearchSettings(sampler=name, trials=12), epochs=4, seed=5)

    def asked(path, killed):
        params, search_ = [], new_brain(path)
        for number in range(12):
            trial = search_.ask()
            if number in killed:
                search_ = new_brain(path)
                assert search_.ask() == trial
            params.append(trial.params)
            search_.tell(trial, "complete", value_of(trial.params, 4), epoch_s=EPOCH_S)
        return params

    assert asked(tmp_path / "a", {0, 3, 9}) == asked(tmp_path / "b", set())


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_whose_process_was_killed_while_it_asked_gets_what_it_lacks(tmp_path, name):
    task = Task("adadecay", 1.0, space_of(name), 12)
    path = tmp_path / "journal"

    def new_brain():
        return AskTell(path, [task], SearchSettings(sampler=name, trials=12), epochs=4, seed=5)

    search_ = new_brain()
    for _ in range(6):
        trial = search_.ask()
        search_.tell(trial, "complete", value_of(trial.params, 4), epoch_s=EPOCH_S)
    before = path.read_bytes()
    whole = search_.ask()
    new = path.read_bytes()[len(before) :].splitlines(keepends=True)
    kept = next(i for i, line in enumerate(new) if b"param_name" in line) + 1  # one parameter is written, no more
    path.write_bytes(before + b"".join(new[:kept]))
    again = new_brain().ask()
    first = next(iter(whole.params))
    assert (again.number, again.params[first]) == (whole.number, whole.params[first])
    assert all(domain.contains(again.params[key]) for key, domain in task.space.domains.items())
    if name in ("tpe-gp", "tpe", "gp", "cma-es", "grid"):  # random numbers drawn one by one are drawn anew
        assert again == whole


@pytest.mark.parametrize("name", ["tpe-gp", "tpe", "gp", "cma-es", "qmc", "random"])
def test_choices_and_a_single_number_are_searched_by_every_sampler(tmp_path, name):
    for path, space in (("a", KINDS), ("b", SearchSpace({"x": uniform(0, 1)}))):
        search_ = AskTell(tmp_path / path, [Task("a", 1.0, space, 8)], SearchSettings(sampler=name), epochs=4)
        for _ in range(8):
            trial = search_.ask()
            search_.tell(trial, "complete", trial.params["x"])
        assert search_.winner(search_.tasks[0]) is not None


def test_the_grid_is_tried_whole_and_once(tmp_path):
    asked, _ = search(tmp_path / "a", "grid", new_each_trial=False, trials=12)
    assert {(p["weight_decay"], p["alpha"]) for p in asked} == {
        (decay, alpha) for decay in (1e-4, 1e-3, 1e-2) for alpha in (0.0, 1.0, 2.0, 4.0)
    }


@pytest.mark.parametrize("name", ["tpe", "gp", "cma-es"])
def test_a_model_based_sampler_reads_the_shown_trials(tmp_path, name):
    def asked(path, predict):
        task = Task("adadecay", 1.0, MIXED, 16)
        search_ = AskTell(tmp_path / path, [task], SearchSettings(sampler=name), epochs=4, seed=5, predict=predict)
        params = []
        for _ in range(16):
            trial = search_.ask()
            params.append(trial.params)
            search_.report(trial, 1, value_of(trial.params, 1))
            if trial.params["alpha"] > 6:  # the worst
                search_.tell(trial, "complete", value_of(trial.params, 4))
            else:
                search_.tell(trial, "pruned")
        return params

    as_predicted, as_they_are = asked("a", final_values.predict), asked("b", None)
    assert as_predicted[:3] == as_they_are[:3]
    assert as_predicted != as_they_are


def test_a_gaussian_process_has_every_second_turn_where_an_epoch_takes_long_enough(tmp_path, monkeypatch):
    conditional = SearchSpace({"kind": choice(["a", "b"]), "x": when(uniform(0, 1), kind="a")})
    two = {"pruner": "none", "second_objective": {"kind": "epoch_time"}}

    def turns(space, epoch_s, **keys):
        names = []
        build = samplers.build

        def noted(name, *arguments, **others):
            names.append(name)
            return build(name, *arguments, **others)

        with monkeypatch.context() as patched:
            patched.setattr(samplers, "build", noted)
            settings = SearchSettings(**{"sampler": "tpe-gp", **keys})
            storage = optuna.storages.InMemoryStorage()
            search_ = AskTell(storage, [Task("a", 1.0, space, 6)], settings, epochs=4)
            for _ in range(6):
                second = {"second": 1.0} if settings.second_objective else {}
                search_.tell(search_.ask(), "complete", 0.5, epoch_s=epoch_s, **second)
        return names

    assert turns(KINDS, 1.0) == ["tpe", "gp"] * 3
    for space, epoch_s, keys in (
        (KINDS, 0.99, {}),
        (KINDS, None, {}),
        (conditional, 5.0, {}),
        (KINDS, 5.0, two),
        (KINDS, 5.0, {"sampler": "tpe"}),
    ):
        assert turns(space, epoch_s, **keys) == ["tpe"] * 6
    assert turns(KINDS, None, sampler="gp") == ["gp"] * 6


def test_the_names_of_a_study_file_build_the_samplers_that_they_say():
    names = {
        name: type(samplers.build(name, Task("a", 1.0, space_of(name), 8), seed=0, number=0)).__name__ for name in NAMES
    }
    assert (
        names.items()
        >= {
            "tpe-gp": "TPESampler",  # at its turns
            "tpe": "TPESampler",
            "gp": "GPSampler",
            "cma-es": "CmaEsSampler",
            "qmc": "QMCSampler",
            "random": "RandomSampler",
            "grid": "GridSampler",
        }.items()
    )


def test_where_a_function_defines_the_space_tpe_stands_in_for_the_knowledge_gradient(tmp_path):
    def asked(path, **settings):
        search_ = AskTell(path, [Task("a", 1.0, DefinedByRun(mixed), 12)], SearchSettings(**settings), epochs=4, seed=5)
        params = []
        while (trial := search_.ask()) is not None:
            params.append(trial.params)
            search_.tell(trial, "complete", value_of(trial.params, 4), epoch_s=EPOCH_S)
        return params

    as_it_is = asked(tmp_path / "a")
    assert len(as_it_is) == 12
    assert as_it_is == asked(tmp_path / "b", sampler="tpe")


def mixed(trial):
    return {
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
        "alpha": trial.suggest_float("alpha", 0, 8),
    }

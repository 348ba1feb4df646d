"""A search knows no metric: which way is better, and in which unit, changes none of its decisions."""

import math

import optuna
import pytest

from search_spaces import SearchSpace, loguniform, uniform
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.store import ACCURACY, Metric
from tune_reg.study import SearchSettings, Task

EPOCHS = 9
SPACE = SearchSpace({"x": uniform(0, 1), "decay": loguniform(1e-6, 1e-1)}, start=[{"x": 0.1, "decay": 1e-3}])
GAIN = Metric("gain", "maximize")
ERROR = Metric("error", "minimize", "m")

SEARCHES = {
    "pausing": {},
    "pausing, seeds": {"seeds": 2},
    "predicted": {"sampler": "tpe"},
    "asha": {"sampler": "tpe", "pruner": "asha"},
    "hyperband": {"sampler": "random", "pruner": "hyperband"},
    "median": {"sampler": "gp", "pruner": "median"},
    "cma-es": {"sampler": "cma-es", "pruner": "none", "patience": 6},
    "wilcoxon": {"sampler": "tpe", "pruner": "wilcoxon", "seeds": 4},
}


def gain(params, epoch, seed=0):
    """Best at x = 0.6 and a decay of 1e-3; it grows with the epochs, and seeds have levels."""
    height = 0.9 - 0.5 * (params["x"] - 0.6) ** 2 - 0.01 * (math.log10(params["decay"]) + 3) ** 2
    return height * (1 - 0.5 ** (epoch + 1)) + 0.003 * seed + 0.001 * math.sin(1e4 * params["x"] + seed)


def search(metric, value, trials=10, **settings):
    """Everything that a search decides of ``value(gain)``; its winner, and its best and expected values."""
    chosen = SearchSettings(trials=trials, **settings)
    task = Task("weight-decay", 1.0, SPACE, trials)
    storage = optuna.storages.InMemoryStorage()
    asked = AskTell(storage, [task], chosen, epochs=EPOCHS * chosen.seeds, metric=metric, seed=7)
    events = []
    for _ in range(200):
        trial = asked.ask()
        if trial is None:
            return events, asked.winner(task), asked.counts(task).best, asked.expected(task)
        events.append((trial.number, trial.params))
        train(asked, trial, value, chosen.seeds, events, modelled=asked.by_model(task))
        for over in asked.over():
            whole = asked.last_step(over) >= EPOCHS
            asked.tell(over, "complete" if whole else "pruned", value(gain(over.params, EPOCHS)) if whole else None)
            events.append((over.number, "over"))
    raise AssertionError("the search does not end")


def train(asked, trial, value, seeds, events, *, modelled):
    """Train a trial until it is paused, stopped or over, as the stage of the search does."""
    step = asked.last_step(trial) if modelled else 0
    finals = []
    while True:
        step += 1
        training, epoch = divmod(step - 1, EPOCHS)
        told = value(gain(trial.params, epoch + 1, trial.seeds[training] if modelled else training))
        if epoch + 1 == EPOCHS:
            finals.append(told)
            told = told if modelled else sum(finals) / len(finals)
        decision = Decision.CONTINUE
        if modelled or training == 0 or epoch + 1 == EPOCHS:
            decision = asked.report(trial, step, told)
        events.append((trial.number, step, decision))
        if decision is not Decision.CONTINUE:
            if decision is Decision.STOP:
                asked.tell(trial, "pruned", told)
            return
        if step == EPOCHS * seeds:
            asked.tell(trial, "complete", sum(finals) / len(finals))
            return


@pytest.mark.parametrize("name", SEARCHES)
def test_a_metric_and_its_negative_with_the_other_goal_make_the_same_decisions(name):
    up, winner, best, expected = search(GAIN, lambda value: value, **SEARCHES[name])
    down, other_winner, other_best, other_expected = search(ERROR, lambda value: -value, **SEARCHES[name])
    assert up == down
    assert winner.params == other_winner.params
    assert best == -other_best
    assert [each._replace(mean=-each.mean) for each in expected] == other_expected


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_finds_the_same_pick_in_any_unit(name):
    settings = SEARCHES[name]
    winner, best = search(GAIN, lambda value: value, **settings)[1:3]
    in_other, other_best = search(GAIN, lambda value: 1000 * value + 5, **settings)[1:3]
    assert in_other.params == pytest.approx(winner.params, rel=1e-3)
    assert other_best == pytest.approx(1000 * best + 5, rel=1e-3)


def test_expected_values_are_in_the_unit_of_the_metric():
    expected = search(GAIN, lambda value: value)[3]
    scaled = search(ERROR, lambda value: 5 - 1000 * value)[3]
    assert [each.mean for each in scaled] == pytest.approx([5 - 1000 * each.mean for each in expected])
    assert [each.deviation for each in scaled] == pytest.approx([1000 * each.deviation for each in expected])


def test_a_search_by_accuracies_picks_what_one_without_bounds_picks():
    """Where nothing comes near 0 or 1, that shares have bounds changes no pick."""
    assert search(ACCURACY, lambda value: value)[1].params == search(GAIN, lambda value: value)[1].params

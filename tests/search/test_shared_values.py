"""Trials at what the winners of other methods have of shared hyperparameters."""

import copy
import itertools
import math

import optuna
import pytest

from search_spaces import SearchSpace, choice, loguniform, uniform, when
from tune_reg.search import shared_values
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.shared_values import with_values_of
from tune_reg.search.trial import Trial
from tune_reg.study import SearchSettings, Task
from tune_reg.study.shared_values import shared_names, shared_with

EPOCHS = 6  # rungs at 2 and 6
RATE, DECAY = loguniform(1e-3, 1.0), loguniform(1e-6, 1e-1)
PLAIN = SearchSpace({"weight_decay": DECAY, "learning_rate": RATE})
ADAPTIVE = SearchSpace({"weight_decay": DECAY, "learning_rate": RATE, "alpha": uniform(0.0, 4.0)})
DROPOUT = SearchSpace({"rate": uniform(0.0, 0.5), "learning_rate": RATE})
STRENGTH = SearchSpace({"strength": loguniform(1e-6, 3.0)})


def task(name, space, trials=5, **settings):
    return Task(name, 1.0, space, trials, **settings)


METHODS = task("weight-decay", PLAIN), task("adadecay", ADAPTIVE), task("dropout", DROPOUT)
SEARCHES = [{}, {"sampler": "tpe"}, {"sampler": "random", "pruner": "asha"}, {"seeds": 2}, {"budget": "seconds"}]
IDS = ["default", "tpe", "random and asha", "two seeds", "seconds"]


def accuracy(trial, step):
    """Best at a learning rate of 0.1; each method and configuration has some luck."""
    params = trial.params
    height = 0.9 - 0.05 * abs(math.log10(params["learning_rate"]) + 1) if "learning_rate" in params else 0.8
    luck = 0.01 * math.sin(1e4 * sum(v for v in params.values() if isinstance(v, float)) + len(trial.task.regularizer))
    return (height + luck) * (1 - 0.5 ** ((step - 1) % EPOCHS + 2))


class Searches:
    """The searches of several methods, with no memory but the journal."""

    def __init__(self, tasks=METHODS, *, storage=None, outcome=None, **settings):
        self.tasks, self.settings = tasks, SearchSettings(trials=5, **settings)
        self.storage = storage or optuna.storages.InMemoryStorage()
        self.outcome = outcome or (lambda trial: None)
        self.order = []
        self.open()

    def open(self, retry=lambda *_: False):
        epochs = EPOCHS * self.settings.seeds
        self.search = AskTell(self.storage, self.tasks, self.settings, epochs=epochs, seed=3, retry=retry)

    def trials(self, task):
        return optuna.load_study(study_name=task.name, storage=self.storage).trials

    def shared(self, task):
        """The trials at shared values: source and configuration."""
        return [(t.user_attrs["shared_from"], t.params) for t in self.trials(task) if "shared_from" in t.user_attrs]

    def train(self, trial, *, most=10_000):
        curve = self.trials(trial.task)[trial.number].intermediate_values
        self.order.append((trial.task.name, trial.number, trial.shared_from))
        if self.outcome(trial):
            self.search.tell(trial, self.outcome(trial), reason="it broke")
            return
        last = EPOCHS * len(trial.seeds)
        for step in range(max(curve, default=0) + 1, last + 1):
            if most == 0:
                return
            most -= 1
            decision = self.search.report(trial, step, accuracy(trial, step))
            if decision is Decision.STOP:
                self.search.tell(trial, "pruned")
                return
            if decision is Decision.PAUSE:
                break
            if step == last:
                self.search.tell(trial, "complete", accuracy(trial, step), epoch_s=1.0)
        for over in self.search.over():
            value = self.trials(over.task)[over.number].intermediate_values.get(EPOCHS)
            self.search.tell(over, "pruned" if value is None else "complete", value)

    def run(self):
        while (trial := self.search.ask()) is not None:
            self.train(trial)
        assert all(self.search.finished(task) for task in self.tasks)
        return self


# What is shared


def test_a_hyperparameter_is_shared_where_it_means_the_same_in_both():
    plain, adaptive, dropout = METHODS
    assert shared_names(plain, adaptive) == ["weight_decay", "learning_rate"]
    assert shared_names(dropout, adaptive) == ["learning_rate"]
    assert shared_names(task("db", STRENGTH), task("noise-injection", STRENGTH)) == [], "each has a strength of its own"
    assert shared_names(task("a", STRENGTH, parts="db"), task("b", STRENGTH, parts="db")) == ["strength"]
    of_choices = task("dropout", SearchSpace({"learning_rate": choice([0.1, 0.2])}))
    assert shared_names(plain, of_choices) == [], "another kind of domain"
    assert shared_names(plain, task("dropout", SearchSpace({"learning_rate": 0.1}))) == [], "it is not searched"
    assert shared_names(plain, Task("adadecay", 0.5, ADAPTIVE, 5)) == [], "another training set"


def test_nothing_is_shared_by_a_grid_or_where_a_study_does_not_want_it():
    assert set(shared_with(SearchSettings(), METHODS)) == {t.name for t in METHODS}
    assert not shared_with(SearchSettings(sampler="grid"), METHODS)
    assert not shared_with(SearchSettings(shared_values=False), METHODS)
    assert not shared_with(SearchSettings(), METHODS[:1])


def test_values_are_taken_over_as_far_as_they_lie_in_the_range():
    plain, adaptive, _ = METHODS
    narrow = task("weight-decay", SearchSpace({"weight_decay": loguniform(1e-6, 1e-4), "learning_rate": RATE}))
    other = Trial(adaptive, 0, {"weight_decay": 1e-2, "learning_rate": 0.3, "alpha": 1.0})
    assert with_values_of(Trial(plain, 0, {"weight_decay": 1e-4, "learning_rate": 0.1}), other) == {
        "weight_decay": 1e-2,
        "learning_rate": 0.3,
    }
    assert with_values_of(Trial(narrow, 0, {"weight_decay": 1e-5, "learning_rate": 0.1}), other) == {
        "weight_decay": 1e-5,
        "learning_rate": 0.3,
    }


def test_what_comes_into_use_is_in_the_middle_and_what_goes_out_of_use_is_left_out():
    space = SearchSpace(
        {
            "optimizer": choice(["sgd", "adam"]),
            "momentum": when(uniform(0.0, 0.8), optimizer="sgd"),
            "weight_decay": DECAY,
        }
    )
    one, other = task("weight-decay", space), task("adadecay", space)
    adam = {"optimizer": "adam", "weight_decay": 1e-3}
    sgd = {"optimizer": "sgd", "momentum": 0.6, "weight_decay": 1e-4}
    assert with_values_of(Trial(one, 0, adam), Trial(other, 0, sgd)) == {
        "optimizer": "sgd",
        "momentum": 0.4,
        "weight_decay": 1e-4,
    }, "a value that is not in use in both is not taken over"
    assert with_values_of(Trial(one, 0, sgd), Trial(other, 0, adam)) == adam


# Which trials are added


@pytest.mark.parametrize("settings", SEARCHES, ids=IDS)
def test_each_method_is_tried_at_the_values_of_the_others_once_all_searches_are_over(settings):
    searches = Searches(**settings)
    winners = {}
    while (trial := searches.search.ask()) is not None:
        if trial.shared_from is None:
            assert not winners, "all searches are over before the first trial at shared values"
        elif not winners:
            assert not any(searches.search.finished(task) for task in searches.tasks)
            winners = {t.name: searches.search.winner(t) for t in searches.tasks}
        searches.train(trial)
    for mine, other in itertools.permutations(METHODS, 2):
        wanted = with_values_of(winners[mine.name], winners[other.name])
        cube = shared_values.UnitCube(mine.space)
        tried = [cube.point(t.params) for t in searches.trials(mine)]
        assert min(abs(cube.point(wanted) - there).max() for there in tried) <= 0.01
    for mine in METHODS:
        added = [t for t in searches.trials(mine) if "shared_from" in t.user_attrs]
        assert 1 <= len(added) <= 2
        for trial in added:
            assert trial.state == optuna.trial.TrialState.COMPLETE
            assert EPOCHS in trial.intermediate_values, "trained to the end"
        expected = searches.search.expected(mine)
        if expected:
            assert searches.search.winner(mine).number == max(expected, key=lambda e: e.mean).number
        assert searches.search.counts(mine).added == len(added)


@pytest.mark.parametrize("settings", SEARCHES, ids=IDS)
def test_what_the_searches_themselves_do_stays_the_same(settings):
    with_shared, alone = Searches(**settings).run(), Searches(**settings, shared_values=False).run()
    for method in METHODS:
        mine = [t for t in with_shared.trials(method) if "shared_from" not in t.user_attrs]
        theirs = alone.trials(method)
        assert [(t.params, t.intermediate_values, t.state) for t in mine] == [
            (t.params, t.intermediate_values, t.state) for t in theirs
        ]
        assert not alone.shared(method)


def test_a_study_without_shared_hyperparameters_is_searched_as_before():
    methods = (
        task("dropout", SearchSpace({"rate": uniform(0.0, 0.5)})),
        task("weight-decay", SearchSpace({"weight_decay": DECAY})),
    )
    logs = []
    for shared in (True, False):
        searches = Searches(methods, shared_values=shared).run()
        logs.append((searches.order, [[(t.params, t.user_attrs) for t in searches.trials(m)] for m in methods]))
    assert logs[0] == logs[1]


def test_of_many_methods_those_are_tried_whose_values_promise_most():
    names = "adadecay", "adadecay-shuffled", "adadecay-matched", "adadecay-randomized"
    methods = METHODS[0], METHODS[2], *(task(name, ADAPTIVE) for name in names)
    searches = Searches(methods)
    while (trial := searches.search.ask()) is not None and trial.shared_from is None:
        searches.train(trial)
    winners = {t.name: searches.search.winner(t) for t in methods}
    for method in methods:
        search = searches.search._searches[method.name]
        sources = [t.user_attrs["shared_from"] for t in search.trials if "shared_from" in t.user_attrs]
        offered = {
            other.regularizer: search.promise([with_values_of(winners[method.name], winners[other.name])])[0]
            for other in methods
            if other is not method
        }
        assert 1 <= len(sources) <= 3
        assert [offered[s] for s in sources] == sorted((offered[s] for s in sources), reverse=True)
        points = [shared_values.UnitCube(method.space).point(params) for params in search.tried()]
        for other in methods:
            if other is not method and other.regularizer not in sources:
                wanted = with_values_of(winners[method.name], winners[other.name])
                there = shared_values.UnitCube(method.space).point(wanted)
                near = min(abs(there - point).max() for point in points) <= 0.01
                assert near or (len(sources) == 3 and offered[other.regularizer] <= offered[sources[-1]])


def test_what_was_tried_is_not_tried_again(monkeypatch):
    monkeypatch.setattr(shared_values, "_NEAR", 2.0)  # everything is near
    searches = Searches().run()
    assert not any(searches.shared(method) for method in METHODS)


def test_a_method_without_a_winner_gives_and_gets_no_values():
    searches = Searches(outcome=lambda trial: "failed" if trial.task is METHODS[1] else None).run()
    assert not searches.shared(METHODS[1])
    assert [source for source, _ in searches.shared(METHODS[0])] == ["dropout"]


def test_a_diverged_trial_at_shared_values_loses():
    searches = Searches(outcome=lambda trial: "diverged" if trial.shared_from else None).run()
    for method in METHODS:
        assert searches.search.winner(method).shared_from is None


# Killed, grown, and tried again


@pytest.mark.parametrize("settings", SEARCHES, ids=IDS)
def test_a_killed_study_goes_on_as_if_nothing_had_happened(settings):
    undisturbed, killed = Searches(**settings).run(), Searches(**settings)
    for most in itertools.cycle([1, 3, 10_000, 0, 2]):
        killed.open()
        trial = killed.search.ask()
        if trial is None:
            break
        killed.train(trial, most=most)
    for method in METHODS:
        assert [(t.params, t.state, t.user_attrs.get("shared_from")) for t in killed.trials(method)] == [
            (t.params, t.state, t.user_attrs.get("shared_from")) for t in undisturbed.trials(method)
        ]
        assert killed.search.winner(method) == undisturbed.search.winner(method)


@pytest.mark.parametrize("added", range(6))
def test_trials_are_added_once_where_the_process_is_killed_while_it_adds_them(monkeypatch, added):
    undisturbed, killed = Searches().run(), Searches()
    enqueue, count = optuna.Study.enqueue_trial, itertools.count()

    def enqueue_some(self, *arguments, **keywords):
        if next(count) == added:
            raise KeyboardInterrupt
        enqueue(self, *arguments, **keywords)

    monkeypatch.setattr(optuna.Study, "enqueue_trial", enqueue_some)
    try:
        killed.run()
    except KeyboardInterrupt:
        killed.open()
        killed.run()
    for method in METHODS:
        assert killed.shared(method) == undisturbed.shared(method)


@pytest.mark.parametrize("settings", SEARCHES[:2], ids=IDS[:2])
def test_a_study_that_grows_is_searched_on_and_tries_shared_values_once_more(settings):
    searches = Searches(**settings).run()
    before = {method.name: len(searches.shared(method)) for method in METHODS}
    searches.tasks = tuple(task(m.regularizer, m.space, 9) for m in METHODS)
    searches.settings = searches.settings.model_copy(update={"trials": 9})
    searches.open()
    searches.run()
    for method in METHODS:
        own = [t for t in searches.trials(method) if "shared_from" not in t.user_attrs]
        assert len(own) >= 9
        epochs = sum(len(t.intermediate_values) for t in own)
        assert epochs <= 9 * EPOCHS
        assert len(searches.shared(method)) <= before[method.name] + 3


def test_a_method_that_is_added_later_shares_its_values():
    searches = Searches(METHODS[:2]).run()
    before = {m.name: searches.shared(m) for m in METHODS[:2]}
    searches.tasks = METHODS
    searches.open()
    searches.run()
    for method in METHODS[:2]:
        assert searches.shared(method)[: len(before[method.name])] == before[method.name]
        assert {source for source, _ in searches.shared(method)[len(before[method.name]) :]} <= {"dropout"}
    assert searches.shared(METHODS[2])


def test_a_failed_trial_at_shared_values_that_is_tried_again_stays_one():
    broken = [True]
    searches = Searches(outcome=lambda trial: "failed" if trial.shared_from and broken[0] else None).run()
    counted = {method.name: len(searches.shared(method)) for method in METHODS}
    broken[0] = False
    searches.open(retry=lambda task, number: "shared_from" in searches.trials(task)[number].user_attrs)
    searches.run()
    for method in METHODS:
        again = [t for t in searches.trials(method) if "retries" in t.user_attrs]
        assert len(again) == counted[method.name] == searches.search.counts(method).added
        assert all(t.state == optuna.trial.TrialState.COMPLETE and "shared_from" in t.user_attrs for t in again)


def test_a_journal_without_what_was_chosen_gets_no_more_trials():
    searches = Searches().run()
    before = copy.deepcopy(searches.order)
    for method in METHODS:
        study = optuna.load_study(study_name=method.name, storage=searches.storage)
        if "shared_values" in study.user_attrs:
            study.set_user_attr("shared_values", None)
    searches.open()
    searches.run()
    assert searches.order == before

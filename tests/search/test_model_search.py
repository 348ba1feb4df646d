"""The search by a model of final values: its budget, its memory, and that it goes on as if nothing had happened.

Most tests have it pause trials, where more is decided; what it does by default, with no pauses, is tested beside it.
"""

import functools
import json
import math
import time
from collections import Counter

import numpy as np
import optuna
import pytest

from search_spaces import Prior, SearchSpace, choice, loguniform, uniform, when
from tune_reg.search import model_search, retries
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.search.model_search import rungs
from tune_reg.study import SearchSettings, Task
from tune_reg.surrogate.unit_cube import UnitCube

EPOCHS = 9
LINE = SearchSpace({"x": uniform(0, 1), "momentum": 0.9}, start=[{"x": 0.1}], priors={"x": Prior(0.3, 0.2)})
MIXED = SearchSpace(
    {
        "x": uniform(0, 1),
        "decay": loguniform(1e-6, 1e-1),
        "kind": choice(["good", "bad"]),
        "b": when(uniform(0, 1), kind="good"),
    }
)


def accuracy(params, epoch, seed=0):
    """Best at x = 0.6; b is best at 0.5, and the other kind is worse. Seeds have levels."""
    height = 0.9 - 0.5 * (params["x"] - 0.6) ** 2 - 0.05 * (params.get("kind") == "bad")
    height -= 0.1 * (params.get("b", 0.5) - 0.5) ** 2 + 0.002 * abs(math.log10(params.get("decay", 1e-3)) + 3)
    return height * (1 - 0.5 ** (epoch + 1)) + 0.003 * seed + 0.001 * math.sin(1e4 * params["x"] + seed)


class Driver:
    """Trains trials of one search, with a memory of nothing but the journal, and writes down all that happens."""

    def __init__(self, space=LINE, *, trials=10, storage=None, outcome=None, pruner="pause", **settings):
        self.task = Task("weight-decay", 1.0, space, trials)
        self.settings = SearchSettings(trials=trials, pruner=pruner, **settings)
        self.storage = storage or optuna.storages.InMemoryStorage()
        #: What a trial comes to at a step, where it is no accuracy: "diverged" or "failed".
        self.outcome = outcome or (lambda trial, step: None)
        self.events = []
        self.new_search()

    def new_search(self):
        """As a new process would begin: everything but the journal is lost."""
        epochs = EPOCHS * self.settings.seeds
        self.search = AskTell(self.storage, [self.task], self.settings, epochs=epochs, seed=7)

    @property
    def trials(self):
        return optuna.load_study(study_name=self.task.name, storage=self.storage).trials

    @property
    def epochs(self):
        """The epochs of all trials."""
        return sum(len(trial.intermediate_values) for trial in self.trials)

    def step_of(self, trial):
        return max(self.trials[trial.number].intermediate_values, default=0)

    def tell(self, trial, state, value=None):
        self.search.tell(trial, state, value if state == "complete" else None)
        self.events.append((trial.number, state))

    def end_those_over(self):
        for trial in self.search.over():
            whole = self.step_of(trial) >= EPOCHS
            value = self.trials[trial.number].intermediate_values.get(EPOCHS)
            self.tell(trial, "complete" if whole else "pruned", value)

    def train_epoch(self, trial):
        """Train a trial for one epoch more; whether it is paused or over then."""
        step, last = self.step_of(trial) + 1, EPOCHS * self.settings.seeds
        value = accuracy(trial.params, (step - 1) % EPOCHS + 1, trial.seeds[(step - 1) // EPOCHS])
        decision = self.search.report(trial, step, value)
        if step == last:
            self.tell(trial, "complete", value)
        if left := decision is Decision.PAUSE or step == last:
            self.end_those_over()
        return left

    def train(self, trial, *, after_each=lambda: None):
        """Train a trial until it is paused or over."""
        last = EPOCHS * self.settings.seeds
        step = self.step_of(trial)
        while True:
            step += 1
            lost = self.outcome(trial, step)
            if lost is not None:
                self.tell(trial, lost)
                break
            seed = trial.seeds[(step - 1) // EPOCHS]
            decision = self.search.report(trial, step, accuracy(trial.params, (step - 1) % EPOCHS + 1, seed))
            self.events.append((trial.number, step, decision))
            if decision is Decision.PAUSE:
                break
            if step == last:
                self.tell(trial, "complete", self.trials[trial.number].intermediate_values[EPOCHS])
                break
            after_each()
        self.end_those_over()

    def ask(self):
        trial = self.search.ask()
        if trial is not None:
            self.events.append((trial.number, trial.params, trial.seeds, trial.training))
        return trial

    def run(self, limit=500):
        for _ in range(limit):
            trial = self.ask()
            if trial is None:
                return self
            self.train(trial)
        raise AssertionError("the search does not end")


def lengths(driver):
    return [len(trial.intermediate_values) for trial in driver.trials]


def params_of(driver):
    return [trial.params for trial in driver.trials]


# The budget


@pytest.mark.parametrize(
    ("space", "trials", "settings"),
    [
        (LINE, 10, {}),
        (LINE, 1, {}),
        (LINE, 2, {}),
        (MIXED, 8, {"min_epochs": 1}),
        (LINE, 7, {"min_epochs": 2, "reduction_factor": 2}),
        (LINE, 4, {"seeds": 2}),
        (LINE, 5, {"pruner": "none"}),
        (LINE, 1, {"pruner": "none"}),
        (MIXED, 4, {"pruner": "none", "seeds": 2}),
    ],
)
def test_of_the_budget_less_than_a_rung_is_left(space, trials, settings):
    driver = Driver(space, trials=trials, **settings).run()
    seeds = settings.get("seeds", 1)
    budget = trials * EPOCHS * seeds
    assert budget - rungs(driver.settings, EPOCHS)[0] < driver.epochs <= budget
    assert driver.search.finished(driver.task)
    assert driver.search.left() == 0
    assert {trial.state.name for trial in driver.trials} <= {"COMPLETE", "PRUNED"}
    assert driver.search.trainings(driver.task) == pytest.approx(driver.epochs / (EPOCHS * seeds))


def test_trials_stand_at_rungs_when_they_are_over():
    driver = Driver(trials=12, min_epochs=1).run()
    assert set(lengths(driver)) <= {1, 3, 9}
    assert {1, 9} <= set(lengths(driver))
    assert len(driver.trials) > 12


@pytest.mark.parametrize(("space", "trials", "first"), [(LINE, 10, 3), (MIXED, 20, 4), (MIXED, 6, 3)])
def test_the_first_ones_are_trained_to_the_end(space, trials, first):
    driver = Driver(space, trials=trials)
    for number in range(first):
        trial = driver.ask()
        assert trial.number == number
        driver.train(trial)
        assert lengths(driver)[-1] == EPOCHS
    assert lengths(driver.run())[:first] == [EPOCHS] * first
    assert EPOCHS // 3 in lengths(driver)[first:], "trials after them are paused"


def test_trials_take_three_seeds_in_turn_and_those_of_a_small_search_have_one():
    driver = Driver(trials=12)
    assert [driver.ask().seeds for _ in range(5)] == [(0,), (1,), (2,), (0,), (1,)]
    driver = Driver(trials=11)
    assert [driver.ask().seeds for _ in range(5)] == [(0,)] * 5


def seeds_by_the_model(driver):
    search = driver.search._searches[driver.task.name]
    search._changed()
    return [training.seed for training in search._fitted().final_values.trainings]


def test_a_small_search_that_gets_more_trials_knows_which_seed_each_was_trained_on():
    small = Driver(trials=5, pruner="none").run()
    larger = Driver(trials=12, storage=small.storage, pruner="none").run()
    seeds = [event[2] for event in larger.events if len(event) == 4]
    assert seeds == [(number % 3,) for number in range(5, 12)]
    assert seeds_by_the_model(larger) == [0] * 5 + [number % 3 for number in range(5, 12)]


def test_trials_of_a_journal_that_does_not_say_so_have_seeds_by_their_numbers():
    driver = Driver(trials=5, pruner="none").run()
    for trial in driver.storage.get_all_trials(driver.storage.get_all_studies()[0]._study_id, deepcopy=False):
        del trial.user_attrs["seed"]
    assert seeds_by_the_model(driver) == [0, 1, 2, 0, 1]


def test_rungs_are_the_end_and_a_third_or_what_the_study_says():
    pause = functools.partial(SearchSettings, pruner="pause")
    assert rungs(pause(), 1) == (1,)
    assert rungs(pause(), 16) == (6, 16)
    assert rungs(pause(min_epochs=2, reduction_factor=2), 9) == (2, 4, 8, 9)
    assert rungs(pause(min_epochs=20), 9) == (9,)
    assert rungs(SearchSettings(), 16) == (16,)


# Without pauses


def test_by_default_every_trial_is_trained_to_its_end():
    default = SearchSettings().pruner
    driver = Driver(trials=10, pruner=default).run()
    assert default == "none"
    assert lengths(driver) == [EPOCHS] * 10
    assert Decision.PAUSE not in {event[-1] for event in driver.events}
    assert {trial.state.name for trial in driver.trials} == {"COMPLETE"}
    assert [event[2] for event in driver.events if len(event) == 4] == [(0,)] * 10
    assert driver.search.winner(driver.task).params["x"] == pytest.approx(0.6, abs=0.1)


def side_by_side(driver, trials, epochs, value=accuracy):
    """Train some trials for so many epochs more, an epoch of each in turn."""
    for _ in range(epochs):
        for trial in trials:
            step = driver.step_of(trial) + 1
            assert driver.search.report(trial, step, value(trial.params, step, trial.seed_index)) is Decision.CONTINUE
            if step == EPOCHS:
                driver.tell(trial, "complete", driver.trials[trial.number].intermediate_values[EPOCHS])


def test_without_pauses_values_on_the_way_count_until_the_first_training_has_ended():
    driver = Driver(SearchSpace({"x": uniform(0, 1)}), trials=8, pruner="none")
    trials = [driver.ask() for _ in range(4)]

    def best_at_the_third(params, epoch, seed=0):
        return accuracy({"x": params["x"] - trials[2].params["x"] + 0.6}, epoch, seed)

    side_by_side(driver, trials, 2, best_at_the_third)
    assert driver.search.expected(driver.task) == [], "no rung is reached"
    side_by_side(driver, trials, 1, best_at_the_third)
    assert driver.search.winner(driver.task).number == trials[2].number
    assert [each.number for each in driver.search.expected(driver.task)] == [0, 1, 2, 3]
    side_by_side(driver, trials[:1], EPOCHS - 3)
    assert [each.number for each in driver.search.expected(driver.task)] == [0]
    assert driver.search.winner(driver.task).number == 0


def test_without_pauses_what_is_expected_after_the_first_end_does_not_depend_on_values_before_the_end():
    def slow(params, epoch, seed=0):
        return accuracy(params, epoch, seed) if epoch == EPOCHS else 0.5 * accuracy({"x": 1 - params["x"]}, epoch, seed)

    expected, asked = [], []
    for value in (accuracy, slow):
        driver = Driver(trials=8, pruner="none")
        side_by_side(driver, [driver.ask() for _ in range(4)], EPOCHS, value)
        others = [driver.ask() for _ in range(2)]
        side_by_side(driver, others, 4, value)
        expected.append(driver.search.expected(driver.task))
        asked.append([*others, driver.ask()])
    assert expected[0] == expected[1]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("state", ["failed", "diverged"])
def test_without_pauses_one_that_is_lost_before_any_has_ended_does_not_win(state):
    driver = Driver(SearchSpace({"x": uniform(0, 1)}), trials=8, pruner="none")
    trials = [driver.ask() for _ in range(4)]
    side_by_side(driver, trials, 4)
    lost = driver.search.winner(driver.task)
    driver.tell(lost, state)
    assert driver.search.winner(driver.task).number != lost.number
    assert {each.number for each in driver.search.expected(driver.task)} == {0, 1, 2, 3} - {lost.number}
    assert driver.ask().number == 4
    driver.new_search()
    assert {driver.ask().number for _ in range(4)} == {0, 1, 2, 3, 4} - {lost.number}


# Its memory


@pytest.fixture(scope="module")
def through():
    """Searches that nothing interrupts, by their settings."""
    known = {}

    def of(space, **settings):
        key = (id(space), json.dumps(settings))
        if key not in known:
            known[key] = Driver(space, **settings).run()
        return known[key]

    return of


CASES = [
    pytest.param(LINE, {"trials": 8}, id="line"),
    pytest.param(MIXED, {"trials": 8, "min_epochs": 1}, id="conditions and three rungs"),
    pytest.param(LINE, {"trials": 4, "seeds": 2}, id="seeds"),
    pytest.param(MIXED, {"trials": 6, "pick": "space"}, id="best of the space"),
    pytest.param(LINE, {"trials": 4, "seeds": 2, "pruner": "none"}, id="seeds without pauses"),
]
WITHOUT_DECISIONS = [
    pytest.param(LINE, {"trials": 8, "pruner": "none"}, id="line without pauses"),
    pytest.param(MIXED, {"trials": 6, "pick": "space", "pruner": "none"}, id="best of the space without pauses"),
]


@pytest.mark.parametrize(("space", "settings"), [*CASES, *WITHOUT_DECISIONS])
def test_a_search_that_is_begun_anew_after_every_event_does_what_the_uninterrupted_one_does(through, space, settings):
    driver = Driver(space, **settings)

    def killed():
        driver.new_search()
        again = driver.search.ask()
        assert again is not None
        assert again.number == driver.events[-1][0]

    for _ in range(500):
        trial = driver.ask()
        if trial is None:
            break
        driver.new_search()
        assert driver.search.ask() == trial, "asked for, and the process is killed"
        driver.train(trial, after_each=killed)
        driver.new_search()
    whole = through(space, **settings)
    assert driver.events == whole.events
    assert params_of(driver) == params_of(whole)
    assert driver.search.expected(driver.task) == whole.search.expected(whole.task)
    assert driver.search.winner(driver.task) == whole.search.winner(whole.task)


@pytest.mark.parametrize(("space", "settings"), CASES)
def test_a_process_that_is_killed_between_a_value_and_its_decision_changes_nothing(through, space, settings):
    """The value is in the journal, but what was decided is not: it is decided again, and alike."""
    driver = Driver(space, **settings)
    kills = 0

    class KilledError(Exception):
        pass

    def killed(*_):
        raise KilledError

    report = AskTell.report
    with pytest.MonkeyPatch.context() as patch:

        def report_and_die(self, trial, step, value):
            nonlocal kills
            if self.decides_at(trial, step):
                with patch.context() as inner:
                    inner.setattr(model_search.ModelSearch, "_decide", killed)
                    with pytest.raises(KilledError):
                        report(self, trial, step, value)
                kills += 1
                driver.new_search()
                again = driver.search.ask()
                if again is not None and again.number == trial.number:
                    return Decision.CONTINUE
                driver.new_search()
                return Decision.PAUSE
            return report(self, trial, step, value)

        patch.setattr(AskTell, "report", report_and_die)
        for _ in range(500):
            trial = driver.ask()
            if trial is None:
                break
            driver.train(trial)
    assert kills > 3
    whole = through(space, **settings)
    assert params_of(driver) == params_of(whole)
    assert lengths(driver) == lengths(whole)
    assert driver.search.winner(driver.task) == whole.search.winner(whole.task)


@pytest.mark.parametrize("kept", [0, 1, 2, "all"])
@pytest.mark.parametrize("number", [1, 7, 9])
def test_a_trial_whose_process_was_killed_while_it_asked_gets_what_it_lacks(tmp_path, number, kept):
    """``kept``: hyperparameters that the journal has. Trial 7 is the first that is weighed against others."""
    path = tmp_path / "journal"

    def file():
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))

    driver = Driver(MIXED, trials=20, storage=file())
    while (trial := driver.ask()).number < number:
        driver.train(trial)
    lines = path.read_bytes().splitlines(keepends=True)
    of_trial = [i for i, line in enumerate(lines) if json.loads(line)["op_code"] == 4]  # a trial is created
    begins = of_trial[number]
    params = [i for i, line in enumerate(lines) if i > begins and b"param_name" in line]
    assert len(params) == len(trial.params)
    keep = len(params) if kept == "all" else kept
    path.write_bytes(b"".join(lines[: ([begins, *params][keep]) + 1]))
    again = Driver(MIXED, trials=20, storage=file())
    assert again.ask() == trial
    assert again.search.ask().number == number + 1, "it is not handed out twice"


def test_a_process_that_is_killed_before_it_tells_those_that_are_over_tells_them_next_time():
    driver = Driver(trials=6)
    while (trial := driver.ask()) is not None:
        driver.train(trial)
        last = driver.events[-1]
    assert len(last) == 2
    other = Driver(trials=6)
    other.end_those_over = lambda: None
    other.run()
    other.new_search()
    assert not other.search.finished(other.task)
    Driver.end_those_over(other)
    assert other.search.finished(other.task)
    assert other.search.over() == []


# More workers than one


@pytest.mark.parametrize(("seeds", "pruner"), [(1, "pause"), (2, "pause"), (1, "none"), (2, "none")])
def test_eight_workers_never_have_the_same_trial(seeds, pruner):
    driver = Driver(MIXED, trials=12, min_epochs=1, seeds=seeds, pruner=pruner)
    last, live, most = EPOCHS * seeds, {}, 0
    for turn in range(5000):
        while len(live) < 8 and (trial := driver.ask()) is not None:
            assert trial.number not in live
            live[trial.number] = trial
        most = max(most, len(live))
        if not live:
            break
        trial = list(live.values())[(7 * turn) % len(live)]
        if driver.train_epoch(trial):
            del live[trial.number]
        assert not {t.number for t in driver.search.over()} & set(live)
    assert most == 8
    assert driver.search.finished(driver.task)
    assert 12 * last - 1 < driver.epochs + 1 <= 12 * last + 1
    assert {trial.state.name for trial in driver.trials} <= {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize("pruner", ["pause", "none"])
def test_workers_that_are_all_killed_again_and_again_lose_no_trial_and_no_epoch(pruner):
    driver = Driver(MIXED, trials=10, min_epochs=1, pruner=pruner)
    live = {}
    for turn in range(3000):
        if turn % 13 == 12:
            driver.new_search()
            again = [driver.ask() for _ in live]
            assert {trial.number for trial in again} == set(live), "those that trained are asked for first"
            assert all(trial.params == live[trial.number].params for trial in again)
        while len(live) < 4 and (trial := driver.ask()) is not None:
            assert trial.number not in live
            live[trial.number] = trial
        if not live:
            break
        trial = list(live.values())[(5 * turn) % len(live)]
        if driver.train_epoch(trial):
            del live[trial.number]
    assert driver.search.finished(driver.task)
    assert driver.epochs == 10 * EPOCHS
    asked = [event[0] for event in driver.events if len(event) == 4]
    assert len(set(asked)) == len(driver.trials)


@pytest.mark.parametrize("pruner", ["pause", "none"])
def test_what_is_under_way_is_not_begun_again_beside_it(pruner):
    """Eight who ask at the same time get configurations that differ, or at least their seeds do."""
    driver = Driver(trials=20, pruner=pruner)
    for _ in range(4):
        driver.train(driver.ask())
    asked = [driver.ask() for _ in range(8)]
    new = [(trial.params["x"], trial.seeds) for trial in asked if driver.step_of(trial) == 0]
    assert len(new) >= 4
    assert len(set(new)) == len(new)
    assert len({x for x, _ in new}) > len(new) / 2


def test_paused_trials_are_told_when_the_budget_is_used():
    driver = Driver(trials=10).run()
    told = {trial.number: trial.state.name for trial in driver.trials}
    paused = [event[0] for event in driver.events if event[-1] is Decision.PAUSE]
    assert paused
    assert all(told[number] in ("COMPLETE", "PRUNED") for number in paused)
    assert driver.search.counts(driver.task).paused == 0
    assert "PRUNED" in told.values()


def test_counts_tell_paused_ones_from_those_that_run():
    driver = Driver(trials=10)
    while driver.search.counts(driver.task).paused == 0:
        driver.train(driver.ask())
    counts = driver.search.counts(driver.task)
    assert (counts.running, counts.complete, counts.failed) == (0, 3, 0)
    driver.ask()
    after = driver.search.counts(driver.task)
    assert (after.running, after.running + after.paused - counts.paused) in {(1, 1), (1, 0)}


# What it learns


def test_it_finds_the_best_and_spends_most_near_it():
    driver = Driver(trials=12).run()
    assert driver.search.winner(driver.task).params["x"] == pytest.approx(0.6, abs=0.08)
    whole = [trial.params["x"] for trial in driver.trials if len(trial.intermediate_values) == EPOCHS][3:]
    assert sum(abs(x - 0.6) < 0.15 for x in whole) >= len(whole) / 2


def test_conditions_and_choices_are_searched():
    driver = Driver(MIXED, trials=20).run()
    for trial in driver.trials:
        assert ("b" in trial.params) == (trial.params["kind"] == "good")
    assert {trial.params["kind"] for trial in driver.trials} == {"good", "bad"}
    winner = driver.search.winner(driver.task)
    assert winner.params["kind"] == "good"
    assert winner.params["x"] == pytest.approx(0.6, abs=0.15)


def test_the_winner_is_expected_to_be_best_and_is_one_that_has_a_value():
    driver = Driver(trials=10).run()
    expected = driver.search.expected(driver.task)
    assert [e.number for e in expected] == list(range(len(driver.trials)))
    assert all(e.deviation > 0 for e in expected)
    best = max(expected, key=lambda e: e.mean)
    assert driver.search.winner(driver.task).number == best.number
    assert best.mean == pytest.approx(0.9, abs=0.02)


def test_before_any_value_nothing_is_expected_and_the_first_that_trains_is_picked():
    driver = Driver(trials=4)
    assert driver.search.winner(driver.task) is None
    assert driver.search.expected(driver.task) == []
    first = driver.ask()
    driver.ask()
    assert driver.search.winner(driver.task).number == first.number
    assert driver.search.expected(driver.task) == []


def test_a_configuration_may_be_trained_again_on_other_seeds():
    """Where the luck of a training is large, the best are trained again, and their seeds differ."""
    driver = Driver(trials=8, seeds=3)
    driver.run()
    assert max(lengths(driver)) > EPOCHS
    repeated = {event[0]: event for event in driver.events if len(event) == 4 and event[3] > 0}
    assert repeated
    for _, _, seeds, _ in repeated.values():
        assert len(set(seeds)) == 3


def test_priors_are_left_out_where_the_study_says_so():
    usual = Driver(trials=6).run()
    driver = Driver(trials=6, prior=False).run()
    assert params_of(driver)[0] == params_of(usual)[0] == {"x": 0.1}
    assert (params_of(driver)[1]["x"], params_of(usual)[1]["x"]) == (0.5, pytest.approx(0.3))


# What goes wrong


@pytest.mark.parametrize("pruner", ["pause", "none"])
@pytest.mark.parametrize("state", ["failed", "diverged"])
def test_a_search_whose_trials_are_all_lost_comes_to_an_end(state, pruner):
    driver = Driver(trials=5, outcome=lambda trial, step: state, pruner=pruner).run(limit=5 * EPOCHS + 1)
    assert driver.search.finished(driver.task)
    assert driver.search.winner(driver.task) is None
    assert {trial.state.name for trial in driver.trials} == {"FAIL"}
    fewest = retries.ALIKE if state == "failed" else 5  # a search whose first trials fail alike asks for no more
    assert fewest <= len(driver.trials) <= 5 * (3 if state == "failed" else EPOCHS)
    assert len({trial.params["x"] for trial in driver.trials}) > 0.9 * len(driver.trials)


@pytest.mark.parametrize("at", [1, 4])
def test_a_trial_that_fails_is_not_asked_for_again_and_again(at):
    def fails(trial, step):
        return "failed" if 0.5 < trial.params["x"] < 0.7 and step >= at else None

    driver = Driver(trials=12, outcome=fails).run()
    lost = [trial for trial in driver.trials if trial.state.name == "FAIL"]
    assert 0 < len(lost) < len(driver.trials) * 0.7
    times = Counter(round(trial.params["x"], 6) for trial in lost)
    assert max(times.values()) == 1


@pytest.mark.parametrize("state", ["failed", "diverged"])
def test_one_that_is_lost_after_its_first_rung_does_not_win(state):
    """It has no value in the table of trials, and nobody can say what it would have come to."""

    def lost(trial, step):
        return state if trial.number >= 3 and step > 4 else None

    driver = Driver(trials=12, outcome=lost).run()
    gone = {trial.number for trial in driver.trials if trial.state.name == "FAIL"}
    assert gone
    assert not gone & {e.number for e in driver.search.expected(driver.task)}
    assert driver.search.winner(driver.task).number not in gone


@pytest.mark.parametrize("pruner", ["pause", "none"])
def test_where_trials_diverge_it_does_not_go_again(pruner):
    driver = Driver(
        SearchSpace({"x": uniform(0, 1)}),
        trials=16,
        pruner=pruner,
        outcome=lambda trial, step: "diverged" if trial.params["x"] > 0.65 else None,
    ).run()
    lost = [trial.params["x"] for trial in driver.trials if trial.state.name == "FAIL"]
    assert lost
    assert len(lost) <= 5
    assert driver.search.winner(driver.task).params["x"] == pytest.approx(0.6, abs=0.06)


# How it ends, and goes on


def test_a_search_that_has_stagnated_ends_early():
    patient, impatient = Driver(trials=20).run(), Driver(trials=20, patience=4).run()
    assert impatient.epochs < patient.epochs - EPOCHS
    assert impatient.search.finished(impatient.task)
    impatient.new_search()
    assert impatient.search.ask() is None


def test_a_search_of_more_trials_goes_on_with_what_it_knows():
    driver = Driver(trials=6).run()
    before = params_of(driver)
    grown = Driver(trials=10, storage=driver.storage)
    assert not grown.search.finished(grown.task)
    grown.run()
    assert params_of(grown)[: len(before)] == before
    assert 10 * EPOCHS - 3 < grown.epochs <= 10 * EPOCHS
    assert lengths(grown)[: len(before)] == lengths(driver)[: len(before)]


def test_no_more_are_kept_paused_than_may_be(monkeypatch):
    monkeypatch.setattr(model_search, "MOST_PAUSED", 2)
    driver = Driver(trials=16)
    most = 0
    while (trial := driver.ask()) is not None:
        driver.train(trial)
        most = max(most, driver.search.counts(driver.task).paused)
    assert most == 2


def test_hopeless_trials_do_not_wait_for_the_end():
    driver = Driver(trials=20)
    early = set()
    while (trial := driver.ask()) is not None:
        driver.train(trial)
        if driver.search.left() > 5:
            early |= {t.number for t in driver.trials if t.state.name == "PRUNED"}
    assert early


def test_two_tasks_have_budgets_and_models_of_their_own():
    tasks = [Task("a", 1.0, LINE, 4), Task("b", 1.0, MIXED, 3)]
    storage = optuna.storages.InMemoryStorage()
    search = AskTell(storage, tasks, SearchSettings(pruner="pause", shared_values=False), epochs=EPOCHS, seed=7)
    steps, taken = {}, {"a at 1": 0, "b at 1": 0}
    while (trial := search.ask()) is not None:
        # Neither goes ahead by more than a trial.
        assert abs(taken["a at 1"] - taken["b at 1"]) <= 2 * EPOCHS or taken["b at 1"] > 2 * EPOCHS
        key = (trial.task.name, trial.number)
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE and steps.get(key, 0) < EPOCHS:
            steps[key] = steps.get(key, 0) + 1
            taken[trial.task.name] += 1
            decision = search.report(trial, steps[key], accuracy(trial.params, steps[key]))
        if steps[key] == EPOCHS:
            search.tell(trial, "complete", accuracy(trial.params, EPOCHS))
        for over in search.over():
            search.tell(over, "pruned")
    assert all(search.finished(task) for task in tasks)
    assert 4 * EPOCHS - 3 < taken["a at 1"] <= 4 * EPOCHS
    assert 3 * EPOCHS - 3 < taken["b at 1"] <= 3 * EPOCHS


@pytest.mark.slow
def test_an_ask_among_hundreds_of_trials_takes_seconds_at_most():
    space = SearchSpace({name: uniform(0, 1) for name in ("x", "b", "c", "d")})
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="weight-decay at 1", direction="maximize")
    domains = {name: optuna.distributions.FloatDistribution(0, 1) for name in space.domains}
    sampler = optuna.samplers.RandomSampler(seed=0)
    study.sampler = sampler
    for number in range(400):
        trial = study.ask(domains)
        steps = EPOCHS if number % 3 == 0 else 3
        for step in range(1, steps + 1):
            trial.report(accuracy(trial.params, step), step)
        trial.set_user_attr("until", steps)
        ended = optuna.trial.TrialState.COMPLETE if steps == EPOCHS else optuna.trial.TrialState.PRUNED
        study.tell(trial, accuracy(trial.params, steps) if steps == EPOCHS else None, state=ended)
    driver = Driver(space, trials=400, storage=storage)
    begin = time.monotonic()
    for _ in range(3):
        assert driver.ask() is not None
    assert (time.monotonic() - begin) / 3 < 20


def test_every_starting_point_is_tried_though_only_the_first_trials_go_to_the_end():
    strengths = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75]
    space = SearchSpace({"x": uniform(0, 1)}, start=[{"x": x} for x in strengths])
    driver = Driver(trials=8, space=space).run()
    assert [trial.params["x"] for trial in driver.trials][:8] == strengths


# The best point of the whole space


def added(driver):
    return [trial.number for trial in driver.trials if "picked_from" in trial.user_attrs]


def test_the_best_point_of_the_space_is_tried_once_the_search_is_over():
    trials = 8
    alone, driver = Driver(MIXED, trials=trials).run(), Driver(MIXED, trials=trials, pick="space").run()
    (number,) = added(driver)
    assert added(alone) == []
    assert params_of(driver)[:number] == params_of(alone), "the search itself is the same"
    assert number == len(alone.trials)
    assert driver.epochs == alone.epochs + EPOCHS, "it comes on top of the budget, and is trained to the end"
    assert driver.trials[number].state == optuna.trial.TrialState.COMPLETE
    cube = UnitCube(MIXED)
    anywhere = [cube.params(point) for point in np.random.default_rng(0).random((200, cube.dims))]
    best, *others = alone.search._searches[alone.task.name].promise(
        [params_of(driver)[number], *params_of(alone), *anywhere]
    )
    assert best > max(others[: len(alone.trials)])
    assert np.mean(np.array(others[len(alone.trials) :]) > best) < 0.02
    assert driver.search.counts(driver.task).added == 1
    expected = driver.search.expected(driver.task)
    assert driver.search.winner(driver.task).number == max(expected, key=lambda e: (e.mean, -e.number)).number
    assert number in {each.number for each in expected}


def test_nothing_is_added_where_a_trial_stands_at_the_best_point():
    driver = Driver(SearchSpace({"kind": choice(["good", "bad"]), "x": 0.6}), trials=4, pick="space").run()
    assert added(driver) == []
    assert driver.search.finished(driver.task)


def test_a_search_that_grows_tries_its_best_point_once_more():
    driver = Driver(MIXED, trials=8, pick="space").run()
    (first,) = added(driver)
    grown = Driver(MIXED, trials=12, pick="space", storage=driver.storage).run()
    assert added(grown) in ([first], [first, len(grown.trials) - 1])  # none where a trial stands there already
    assert 12 * EPOCHS - 3 < grown.epochs - EPOCHS * len(added(grown)) <= 12 * EPOCHS


def test_a_best_point_that_fails_is_tried_again_as_one_and_no_other_is_added():
    broken = [True]
    driver = Driver(
        MIXED,
        trials=8,
        pick="space",
        outcome=lambda trial, _: "failed" if trial.picked_from == "space" and broken[0] else None,
    ).run()
    (failed,) = added(driver)
    broken[0] = False
    driver.search = AskTell(
        driver.storage, [driver.task], driver.settings, epochs=EPOCHS, seed=7, retry=lambda _, number: number == failed
    )
    driver.run()
    assert added(driver) == [failed, failed + 1]
    assert params_of(driver)[failed] == params_of(driver)[failed + 1]
    assert driver.trials[failed + 1].state == optuna.trial.TrialState.COMPLETE


def test_eight_workers_try_the_best_point_once_all_others_are_over():
    driver = Driver(MIXED, trials=6, pick="space")
    workers = {}
    while True:
        while len(workers) < 8 and (trial := driver.ask()) is not None:
            workers[trial.number] = trial
            if trial.picked_from == "space":
                assert all(t.state.is_finished() for t in driver.trials if t.number != trial.number)
        if not workers:
            break
        driver.train(workers.pop(min(workers)))
    assert len(added(driver)) == 1

"""Confirmation in rounds: which seeds are trained, what is decided and written down, whatever the order of the runs."""

import math
import random

import pytest
from digits import digits_study
from in_process import run_study
from made_up import FINAL, epochs, finish
from tables import everything

from tune_reg import load
from tune_reg.decisions import LOOKS, decisions, looks_at, nominal_levels
from tune_reg.execution import confirmed_runs
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, Diverged
from tune_reg.execution.progress import stored_progress
from tune_reg.search.decision import Decision
from tune_reg.study import make_plan

#: Spread of the paired differences.
NOISE = 0.01
IMAGES = 360


def rounds_study(**settings):
    methods = {"weight-decay": {"weight_decay": 5e-4}, "l1": {"strength": 1e-4}, "dropout": {"rate": 0.1}}
    plain = {"regularizers": methods, "search": {"trials": 1, "pruner": "none"}, "confirm": {}}
    return digits_study(**{**plain, **settings})


def made_up(gains):
    """Test accuracies of runs by gain of their regularizer: those of the baseline, more or less, with noise."""

    def accuracy(run):
        noise = random.Random(f"{run.run.regularizer} {run.run.seed}").gauss(0, NOISE)
        gain = gains.get(run.run.regularizer, 0.0)
        return None if gain is None else 0.8 + gain + noise

    return accuracy


def end(controller, run, accuracy):
    """End a run with this test accuracy; without any it diverges."""
    if run.stage != "confirm":
        finish(controller, run)
        return
    outcome = Diverged() if accuracy is None else Completed(final={**FINAL, "test_accuracy": accuracy})
    last = epochs(1, 2, accuracy=math.nan if accuracy is None else 0.5, outcome=outcome)
    assert controller.take(run.key, last) is Decision.STOP


def go_on(controller, accuracy, *, at_once=1, order=None, limit=10**6):
    """Start and end runs, ``at_once`` under way, in an order drawn from ``order``; what was started."""
    started, under_way = [], []
    while not controller.finished and len(started) < limit:
        while len(under_way) < at_once and (run := controller.next_run()) is not None:
            started.append(run)
            under_way.append(run)
        run = under_way.pop(order.randrange(len(under_way)) if order else 0)
        end(controller, run, accuracy(run))
    return started


def opened(directory, study, **settings):
    return StudyController(make_plan(study), directory, **settings)


def seeds_of(directory):
    """How many seeds each method is confirmed on, by training set."""
    seeds = {}
    for row in load(directory).final().to_pylist():
        seeds.setdefault((row["regularizer"], row["fraction"]), set()).add(row["seed"])
    assert all(of_method == set(range(1, len(of_method) + 1)) for of_method in seeds.values())
    return {key: len(of_method) for key, of_method in seeds.items()}


def decided(directory):
    """The rows of the table ``decisions``, by method and look."""
    rows = load(directory).decisions().to_pylist()
    return {(row["regularizer"], row["look"]): row for row in rows}


@pytest.fixture
def directory(tmp_path):
    """A results directory that tells which study it is of."""

    def make(name, study):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "study.toml").write_text(study.to_toml())
        return folder

    return make


def test_a_method_that_is_decided_is_trained_no_more_and_the_baseline_goes_on(directory):
    study = rounds_study()
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.05, "dropout": 0.0}))
    assert seeds_of(folder) == {("weight-decay", 1.0): 20, ("l1", 1.0): 5, ("dropout", 1.0): 20}
    rows = decided(folder)
    assert [(*key, row["decision"]) for key, row in sorted(rows.items())] == [
        *(("dropout", look, "undecided") for look in (1, 2, 3, 4)),
        ("l1", 1, "superior"),
    ]
    assert [row["level"] for key, row in sorted(rows.items())] == [
        *nominal_levels(LOOKS, 2),
        nominal_levels(LOOKS, 2)[0],
    ]
    assert {(row["methods"], row["measure"], row["fraction"], row["search_fraction"]) for row in rows.values()} == {
        (2, "test_accuracy", 1.0, 1.0)
    }


def test_the_last_row_of_each_method_is_what_the_public_function_says(directory):
    study = rounds_study(confirm={"margin": 0.012})
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": -0.012, "dropout": 0.001}))
    by_seed = {}
    for row in sorted(load(folder).final().to_pylist(), key=lambda row: row["seed"]):
        by_seed.setdefault(row["regularizer"], []).append(row["test_accuracy"])
    baseline = by_seed.pop("weight-decay")
    differences = {
        name: [one - other for one, other in zip(values, baseline, strict=False)] for name, values in by_seed.items()
    }
    rows = decided(folder)
    for row in decisions(differences, study.test_images, 0.012):
        last = max(look for name, look in rows if name == row.method)
        stored = rows[row.method, last]
        assert (stored["n"], stored["decision"]) == (row.n, row.decision)
        assert (stored["estimate"], stored["low"], stored["high"]) == (row.estimate, row.low, row.high)
        assert row.n == len(by_seed[row.method]), "no seed is trained that the decision did not need"
    assert study.test_images == IMAGES


def test_the_order_in_which_runs_end_changes_nothing(directory):
    study = rounds_study(fractions=[0.5, 1.0])
    accuracy = made_up({"l1": 0.01, "dropout": 0.02})
    folders = [directory(str(at_once), study) for at_once in (1, 4, 16)]
    for at_once, folder in zip((1, 4, 16), folders, strict=True):
        go_on(opened(folder, study), accuracy, at_once=at_once, order=random.Random(at_once))
    assert everything(folders[0]) == everything(folders[1]) == everything(folders[2])
    assert len(set(seeds_of(folders[0]).values())) > 1, "not all methods need as many seeds"


@pytest.mark.parametrize("limit", [3, 14, 20, 25, 40])
def test_killed_and_started_again_it_takes_the_same_looks(directory, limit):
    study = rounds_study()
    accuracy = made_up({"l1": 0.01, "dropout": 0.02})
    whole, killed = directory("whole", study), directory("killed", study)
    go_on(opened(whole, study), accuracy)
    go_on(opened(killed, study), accuracy, at_once=4, order=random.Random(limit), limit=limit)
    go_on(opened(killed, study), accuracy, at_once=2)
    assert everything(whole) == everything(killed)


def test_what_is_lost_of_the_decisions_is_made_anew_from_the_confirmed_runs(directory):
    study = rounds_study()
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.05, "dropout": 0.02}))
    before = everything(folder)
    for path in (folder / "tables" / "decisions").glob("*.parquet"):
        path.unlink()
    assert not decided(folder)
    assert opened(folder, study).finished
    assert everything(folder) == before


def test_a_seed_without_a_pair_counts_as_trained(directory):
    study = rounds_study()
    folder = directory("a", study)
    plain = made_up({"l1": 0.08, "dropout": 0.08})
    lost = {("l1", 2), ("weight-decay", 4)}
    go_on(opened(folder, study), lambda run: None if (run.run.regularizer, run.run.seed) in lost else plain(run))
    assert set(seeds_of(folder).values()) == {5}
    assert {key: (row["n"], row["decision"]) for key, row in decided(folder).items()} == {
        ("l1", 1): (3, "superior"),
        ("dropout", 1): (4, "superior"),
    }


def test_a_method_that_always_diverges_is_looked_at_once_and_keeps_nobody_waiting(directory):
    study = rounds_study()
    folder = directory("a", study)
    controller = opened(folder, study)
    go_on(controller, made_up({"l1": None, "dropout": 0.08}))
    assert controller.finished
    assert set(seeds_of(folder).values()) == {5}
    row = decided(folder)["l1", 1]
    assert (row["n"], row["decision"], row["estimate"], row["low"], row["high"]) == (0, "undecided", None, None, None)


def test_a_baseline_that_always_diverges_ends_the_rounds(directory):
    study = rounds_study()
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"weight-decay": None}))
    assert set(seeds_of(folder).values()) == {5}
    assert {row["decision"] for row in decided(folder).values()} == {"undecided"}


def test_a_method_without_a_winner_asks_for_nothing(directory):
    study = rounds_study()
    folder = directory("a", study)
    controller, accuracy = opened(folder, study), made_up({"dropout": 0.08})
    while not controller.finished:
        run = controller.next_run()
        if run.stage == "search" and run.run.regularizer == "l1":
            controller.take(run.key, epochs(1, accuracy=math.nan, outcome=Diverged()))
        else:
            end(controller, run, accuracy(run))
    assert seeds_of(folder) == {("weight-decay", 1.0): 5, ("dropout", 1.0): 5}
    assert decided(folder)["dropout", 1]["methods"] == 2, "how many are compared was said before"


def test_other_training_sets_get_the_seeds_of_the_largest(directory):
    study = rounds_study(fractions=[0.5, 1.0], search={"trials": 1, "pruner": "none", "fractions": [0.5, 1.0]})
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.05}), at_once=3)
    seeds = seeds_of(folder)
    assert seeds["l1", 0.5] == seeds["l1", 1.0] == 5
    assert seeds["dropout", 0.5] == seeds["dropout", 1.0] == seeds["weight-decay", 0.5] > 5
    final = load(folder).final().to_pylist()
    both = {
        (row["search_fraction"], row["seed"]) for row in final if (row["regularizer"], row["fraction"]) == ("l1", 0.5)
    }
    assert both == {(searched, seed) for searched in (0.5, 1.0) for seed in range(1, 6)}
    assert {(row["fraction"], row["search_fraction"]) for row in decided(folder).values()} == {(1.0, 1.0)}


def test_the_winner_of_the_largest_searched_set_is_what_is_decided(directory):
    study = rounds_study(fractions=[0.5, 1.0], search={"trials": 1, "pruner": "none", "fractions": [0.5]})
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.05, "dropout": 0.05}))
    assert {(row["fraction"], row["search_fraction"]) for row in decided(folder).values()} == {(1.0, 0.5)}


def test_a_fixed_number_of_seeds_is_trained_as_it_is(directory):
    study = rounds_study(confirm={"seeds": 6})
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.05}))
    assert set(seeds_of(folder).values()) == {6}
    assert not decided(folder)


def test_one_method_alone_has_one_round(directory):
    study = rounds_study(regularizers={"l1": {"strength": 1e-4}})
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({}))
    assert seeds_of(folder) == {("l1", 1.0): 5}
    assert not decided(folder)


def test_a_failed_run_that_is_tried_again_is_looked_at_anew(directory):
    study = rounds_study()
    folder = directory("a", study)
    controller, accuracy = opened(folder, study), made_up({"l1": 0.05, "dropout": 0.05})
    while not controller.finished:
        run = controller.next_run()
        if run.stage == "confirm" and run.run.regularizer == "l1":
            controller.give_up(run.key, "the machine went")
        else:
            end(controller, run, accuracy(run))
    assert decided(folder)["l1", 1]["n"] == 0
    again = go_on(opened(folder, study, retry_failed=True), accuracy)
    assert {(run.run.regularizer, run.run.seed) for run in again} == {("l1", seed) for seed in range(1, 6)}
    assert decided(folder)["l1", 1]["decision"] == "superior"


def test_where_a_larger_search_has_another_winner_its_runs_take_the_place_of_the_earlier_ones(directory):
    spaces = {"weight-decay": {"weight_decay": 5e-4}, "l1": {}}
    study = rounds_study(regularizers=spaces)
    folder = directory("a", study)
    go_on(opened(folder, study), made_up({"l1": 0.0}))
    assert seeds_of(folder)["l1", 1.0] == 20
    larger = rounds_study(regularizers=spaces, search={"trials": 2, "pruner": "none"})
    controller, accuracy = opened(folder, larger), made_up({"l1": 0.05})
    assert not decided(folder), "what was looked at may not be what is going to be compared"
    while not controller.finished:
        run = controller.next_run()
        if run.stage == "search":
            finish(controller, run, 0.9)
        else:
            end(controller, run, accuracy(run))
    rows = [row for row in load(folder).final().to_pylist() if row["regularizer"] == "l1"]
    assert sorted((row["trial"], row["seed"]) for row in rows) == [(1, seed) for seed in range(1, 6)]
    assert [(look, row["decision"]) for (_, look), row in decided(folder).items()] == [(1, "superior")]


def test_the_progress_tells_what_is_asked_for_and_what_may_come(directory):
    study = rounds_study()
    folder = directory("a", study)
    controller = opened(folder, study)

    def numbers():
        now, stored = controller.progress(), stored_progress(controller.plan, folder)
        assert (now.confirmations, now.confirmations_at_most) == (stored.confirmations, stored.confirmations_at_most)
        return now.confirmed, now.confirmations, now.confirmations_at_most

    assert numbers() == (0, 15, 60)
    go_on(controller, made_up({"l1": 0.05}), limit=3 + 15)
    assert numbers() == (15, 21, 45)
    go_on(controller, made_up({"l1": 0.05}))
    assert numbers() == (45, 45, 45)


def test_looks_are_taken_once_for_each_run_that_ends(directory, monkeypatch):
    taken = []

    def counted(*arguments, **settings):
        taken.append(arguments)
        return looks_at(*arguments, **settings)

    monkeypatch.setattr(confirmed_runs, "looks_at", counted)
    study = rounds_study()
    runs = go_on(opened(directory("a", study), study), made_up({"l1": 0.05, "dropout": 0.05}))
    assert 0 < len(taken) <= 2 * (len(runs) + 1)


def test_lanes_come_to_the_same_decisions(tmp_path):
    """Trained, not made up: dropout of nine tenths is worse than weight decay on so few epochs."""
    methods = {"weight-decay": {"weight_decay": 5e-4}, "dropout": {"rate": 0.9}}
    training = {"epochs": 1, "batch_size": 128}
    study = rounds_study(regularizers=methods, training=training, resources={"lanes": 4})
    run_study(study, tmp_path / "one")
    run_study(study, tmp_path / "lanes", lanes=4)
    one, lanes = decided(tmp_path / "one"), decided(tmp_path / "lanes")
    assert {key: row["decision"] for key, row in one.items()} == {key: row["decision"] for key, row in lanes.items()}
    assert seeds_of(tmp_path / "one") == seeds_of(tmp_path / "lanes")

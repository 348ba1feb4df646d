"""The runs of a study shared out among lane groups, with results that are made up."""

import math
import random

import pytest
from digits import digits_study
from made_up import completed, epochs

from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroup, LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.execution.messages import Diverged
from tune_reg.store import Results
from tune_reg.study import make_plan


def study(**settings):
    plain = {
        "regularizers": ["weight-decay", "adadecay"],
        "search": {"trials": 6, "pruner": "none"},
        "confirm": {"seeds": 2},
    }
    return digits_study(**{**plain, **settings})


def groups_in(directory, *, lanes=3, slots=1, robustness_only=False, **settings):
    controller = StudyController(make_plan(study(**settings)), directory, robustness_only=robustness_only)
    return controller, LaneGroups(controller, LaneKeys(controller.plan), lanes=lanes, slots=lambda: slots)


@pytest.fixture
def make_groups(tmp_path):
    def make(**settings):
        return groups_in(tmp_path, **settings)

    return make


def after_an_epoch(*runs, accuracy=0.5):
    """What a group reports whose ``runs`` have trained their first epoch."""
    return {run.key: epochs(1, accuracy=accuracy) for run in runs}


def at_their_end(*runs):
    """What a group reports whose ``runs`` were trained and tested."""
    return {run.key: completed(run) for run in runs}


def report(run, last_epoch, accuracy):
    """What a run reports after ``last_epoch``, of the epochs before, too."""
    if not math.isfinite(accuracy):
        return epochs(*range(1, last_epoch + 1), accuracy=accuracy, outcome=Diverged())
    return completed(run, accuracy) if last_epoch == 2 else epochs(*range(1, last_epoch + 1), accuracy=accuracy)


def rows_of(directory, table="trials"):
    return getattr(Results(directory), table)().to_pylist()


def test_a_group_is_filled_with_runs_of_one_key_and_refilled_in_place(make_groups):
    controller, groups = make_groups()
    group = groups.next_run()
    assert [run.run.regularizer for run in group.runs.values()] == ["weight-decay"] * 3
    first, second, third = group.runs.values()
    change = groups.take(group, {**at_their_end(first), **after_an_epoch(second, third)})
    assert change.ended == (first.key,)
    (started,) = change.started
    assert started == controller.order(group.runs[started.key])
    assert group.runs[started.key].trial.number == 3
    assert list(group.runs) == [second.key, third.key, started.key]
    # Search and confirmation of one regularizer on one training set have one key.
    while group.runs:
        groups.take(group, at_their_end(*group.runs.values()))
    assert groups.find(group.name) is None
    assert controller.progress().confirmed == 2
    assert {run.run.regularizer for run in groups.next_run().runs.values()} == {"adadecay"}


def test_a_lane_that_is_pruned_or_diverges_ends_alone(make_groups, tmp_path):
    _, groups = make_groups(
        search={"trials": 6, "pruner": "asha", "reduction_factor": 2}, regularizers=["weight-decay"]
    )
    group = groups.next_run()
    good, bad, lost = group.runs.values()
    reports = {**after_an_epoch(good, accuracy=0.9), **after_an_epoch(bad, accuracy=0.1)}
    change = groups.take(group, {**reports, lost.key: epochs(1, accuracy=math.nan, outcome=Diverged())})
    assert change.ended == (bad.key, lost.key)
    assert [group.runs[order.key].trial.number for order in change.started] == [3, 4]
    assert {row["trial"]: row["state"] for row in rows_of(tmp_path)} == {1: "pruned", 2: "diverged"}
    assert rows_of(tmp_path)[1]["reason"] == "the loss is not finite in epoch 1"


def test_what_is_reported_twice_counts_once(make_groups):
    """A group that was killed reports again what its runs did before."""
    controller, groups = make_groups()
    group = groups.next_run()
    runs = list(group.runs.values())
    groups.take(group, after_an_epoch(*runs))
    again = groups.take(group, at_their_end(*runs))
    assert again.ended == tuple(run.key for run in runs)
    late = groups.take(group, at_their_end(runs[0]))
    assert late.ended == ()
    assert controller.progress().epochs == 6


@pytest.mark.parametrize(
    ("slots", "lanes", "sizes"),
    [
        (1, 4, [4, 4]),
        (2, 8, [6, 6]),  # 12 runs are open: 6 for each of two
        (4, 8, [3, 3, 3, 3]),
        (12, 8, [1] * 12),
        (50, 8, [1] * 12),
        (2, 2, [2, 2]),
    ],
)
def test_runs_are_shared_out_among_the_slots(make_groups, slots, lanes, sizes):
    _, groups = make_groups(lanes=lanes, slots=slots)
    assert [len(groups.next_run().runs) for _ in sizes] == sizes


def test_the_last_runs_are_left_to_the_other_slots(make_groups):
    controller, groups = make_groups(
        lanes=6, slots=2, regularizers=["weight-decay"], search={"trials": 8, "pruner": "none"}
    )
    group, other = groups.next_run(), groups.next_run()
    assert (len(group.runs), len(other.runs)) == (4, 4)
    groups.take(other, at_their_end(*other.runs.values()))
    groups.take(group, at_their_end(*group.runs.values()))
    # Two confirmed runs are left for two slots.
    assert not other.runs
    assert [run.stage for run in group.runs.values()] == ["confirm"]
    assert [run.stage for run in groups.next_run().runs.values()] == ["confirm"]
    assert groups.next_run() is None
    assert not controller.finished


def test_what_cannot_be_a_lane_trains_alone_in_the_same_study(make_groups):
    regularizers = {
        "weight-decay": {},
        "residual-smoothing": {"annealing": ["laplace", "logistic"]},
        "adam": {"regularizer": "decoupled-weight-decay", "optimizer": "adam"},
    }
    _, groups = make_groups(regularizers=regularizers)
    upcoming = [groups.next_run() for _ in range(3)]
    assert [type(each).__name__ for each in upcoming] == ["LaneGroup", "StudyRun", "LaneGroup"]
    assert upcoming[1].run.regularizer == "residual-smoothing"
    optimizers = [{run.run.settings.optimizer for run in group.runs.values()} for group in upcoming[::2]]
    assert optimizers == [{"sgd"}, {"adam"}]


def test_robustness_tests_alone_need_no_lanes(make_groups, tmp_path):
    carry_out(*make_groups(regularizers=["weight-decay"]))
    controller, groups = make_groups(regularizers=["weight-decay"], robustness={"fgsm": [0.1]}, robustness_only=True)
    run = groups.next_run()
    assert (run.stage, controller.open_runs()) == ("robustness", 2)


def test_the_runs_of_a_group_that_is_given_up_are_tried_one_by_one(make_groups):
    controller, groups = make_groups()
    group = groups.next_run()
    runs = list(group.runs.values())
    change = groups.take(group, {**at_their_end(runs[0]), **after_an_epoch(*runs[1:])})
    left = list(group.runs.values())
    assert left == [*runs[1:], group.runs[change.started[0].key]]
    groups.give_up(group)
    assert groups.find(group.name) is None
    assert [groups.next_run() for _ in range(3)] == left
    assert controller.progress().tasks[0].running == 3
    # It trained: lanes as such are not to blame.
    assert isinstance(groups.next_run(), LaneGroup)


def test_where_a_group_never_trained_runs_with_its_key_train_alone(make_groups):
    _, groups = make_groups()
    group = groups.next_run()
    groups.give_up(group)
    assert [groups.next_run() for _ in range(3)] == list(group.runs.values())
    # Of the other key three are asked for in turn, and then those of the first again, but alone.
    assert {run.run.regularizer for run in groups.next_run().runs.values()} == {"adadecay"}
    upcoming = [groups.next_run() for _ in range(4)]
    alone = [each for each in upcoming if not isinstance(each, LaneGroup)]
    assert [run.run.regularizer for run in alone] == ["weight-decay"] * 3


def test_a_group_whose_lanes_are_measured_begins_with_one(make_groups):
    _, groups = make_groups(lanes=None)
    group = groups.next_run()
    order = groups.order(group)
    assert (len(order.runs), order.measure_up_to) == (1, 6)
    change = groups.take_measured(group, 4)
    assert (change.ended, len(change.started), len(group.runs)) == ((), 3, 4)
    # Should its process be lost, the next one has nothing to measure.
    assert groups.order(group).measure_up_to is None


def test_where_one_lane_is_measured_to_be_best_runs_train_alone(make_groups):
    _, groups = make_groups(lanes=None, regularizers=["weight-decay"])
    group = groups.next_run()
    (run,) = group.runs.values()
    groups.take_measured(group, 1)
    assert (group.runs, groups.find(group.name)) == ({}, None)
    assert groups.next_run() == run
    assert [groups.next_run().trial.number for _ in range(5)] == [1, 2, 3, 4, 5]


def test_interrupted_runs_come_into_the_group_of_their_key_first(make_groups):
    controller, _ = make_groups()
    interrupted = [controller.next_run() for _ in range(4)]  # two of each key, and the driver is killed
    again, groups = make_groups()
    assert again.open_runs() == 12
    for group, regularizer in ((groups.next_run(), "weight-decay"), (groups.next_run(), "adadecay")):
        assert [run.trial.number for run in group.runs.values()] == [0, 1, 2]
        assert list(group.runs)[:2] == [run.key for run in interrupted if run.run.regularizer == regularizer]
    assert again.open_runs() == 12


def carry_out(controller, groups, rng=None, accuracy=lambda run: 0.5, slots=1):
    """Everything to its end, with up to ``slots`` groups and single runs at a time, which ``rng`` picks from."""
    running = []
    while not controller.finished:
        while len(running) < slots and (upcoming := groups.next_run()) is not None:
            running.append((upcoming, {}))
        assert running, "nothing can start, but the study is not finished"
        at = rng.randrange(len(running)) if rng else 0
        current, trained = running[at]
        if not isinstance(current, LaneGroup):
            controller.take(current.key, completed(current, accuracy(current)))
            running.pop(at)
            continue
        reports = {}
        for key, run in current.runs.items():
            trained[key] = trained.get(key, 0) + 1
            reports[key] = report(run, trained[key], accuracy(run))
        groups.take(current, reports)
        if current.runs and rng and rng.random() < 0.1:
            groups.give_up(current)
            running.pop(at)
        elif not current.runs:
            running.pop(at)


@pytest.mark.parametrize("seed", range(8))
def test_every_run_is_trained_once_whatever_ends_first(tmp_path, seed):
    """Any number of lanes and slots, any order, groups that fail in between, runs that diverge or are pruned."""
    rng = random.Random(seed)
    seeds, slots, lanes = rng.choice([1, 2]), rng.randint(1, 4), rng.randint(1, 9)
    search = {"trials": 7, "reduction_factor": 2, "sampler": "random", "seeds": seeds}
    controller, groups = groups_in(tmp_path, lanes=lanes, slots=slots, search=search, fractions=[0.5, 1.0])
    accuracies = {}

    def accuracy(run):
        return accuracies.setdefault(run.key, math.nan if rng.random() < 0.1 else rng.random())

    carry_out(controller, groups, rng, accuracy, slots)
    trials = sorted((row["regularizer"], row["trial"]) for row in rows_of(tmp_path))
    assert trials == [(name, number) for name in ("adadecay", "weight-decay") for number in range(7)]
    final = [(row["regularizer"], row["fraction"], row["seed"]) for row in rows_of(tmp_path, "final")]
    assert len(set(final)) == len(final) == 8
    assert controller.open_runs() == 0

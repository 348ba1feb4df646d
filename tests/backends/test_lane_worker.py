"""A lane group in this process, without Ray: each of its runs is as if it were alone."""

import dataclasses
import itertools
from copy import copy

import pytest
import torch

from tune_reg.backends.lane_worker import LaneWorker
from tune_reg.backends.run_worker import RunWorker
from tune_reg.data import load
from tune_reg.evaluation import final_row, validation_robustness
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import Completed, Diverged, RunOrder, StorageFault
from tune_reg.study import SecondObjective
from tune_reg.training import Run, SerialEngine, TrainingSettings
from tune_reg.training import checkpoint as checkpoints

EPOCHS = 4
CPU = torch.device("cpu")


def run_of(number):
    training = TrainingSettings(epochs=EPOCHS, batch_size=64, learning_rate=0.05)
    strength = 10.0 ** -(number + 2)
    return Run("digits", "nn-2-small", "weight-decay", {"weight_decay": strength}, training, seed=number)


def order(number, folder, stage="search", attack=None):
    return RunOrder(
        key=f"run-{number}",
        stage=stage,
        run=run_of(number),
        checkpoints=str(folder / f"run-{number}"),
        robustness=RobustnessSettings(fgsm=[0.1], images=50),
        validation_attack=attack,
    )


def worker_of(numbers, folder, stage="search"):
    return LaneWorker([order(number, folder, stage) for number in numbers], CPU)


def step(worker):
    """What each run reports of a step, by its key."""
    return dict(worker.step().reports)


def rows_of(reports):
    return {key: len(report.rows) for key, report in reports.items()}


def alone(number, epochs=EPOCHS):
    engine = SerialEngine(run_of(number))
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def numbers(rows):
    return [[row[name] for name in ("train_loss", "val_loss", "val_accuracy", "strength")] for row in rows]


def assert_as_alone(rows, number):
    """In float32 rounding grows: 240 images validate, and one of them may fall on the other side."""
    expected = numbers(alone(number, len(rows)).history)
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    for in_lane, single in zip(numbers(rows), expected, strict=True):
        assert in_lane[:2] == pytest.approx(single[:2], rel=1e-3)
        assert in_lane[2] == pytest.approx(single[2], abs=1.01 / 240)
        assert in_lane[3] == single[3]


def test_the_order_in_which_lanes_end_changes_no_run(tmp_path):
    """One of three lanes is given to another run after the first epoch, another after the second, in every order."""
    longest = {}
    for ending in itertools.permutations(range(3), 2):
        folder = tmp_path / "-".join(map(str, ending))
        worker = worker_of(range(3), folder)
        rows = {f"run-{n}": [] for n in range(5)}
        for epoch in range(6):
            for key, report in step(worker).items():
                rows[key] += report.rows
            if epoch < 2:
                worker.change([f"run-{ending[epoch]}"], [order(3 + epoch, folder)])
        for number in range(5):
            trained = numbers(rows[f"run-{number}"])
            assert len(trained) == (ending.index(number) + 1 if number in ending else EPOCHS)
            for row, before in zip(trained, longest.setdefault(number, trained), strict=False):
                assert row == pytest.approx(before, rel=1e-5)
            longest[number] = max(longest[number], trained, key=len)
    for number in range(5):
        expected = numbers(alone(number).history)
        for in_lane, single in zip(longest[number], expected, strict=True):
            assert in_lane[:2] == pytest.approx(single[:2], rel=1e-3)


def test_a_run_that_is_dropped_trains_no_further(tmp_path):
    worker = worker_of(range(2), tmp_path)
    step(worker)
    checkpoints.remove(tmp_path / "run-0")  # as the controller does with those of a pruned run
    worker.change(["run-0"], [])
    assert list(step(worker)) == ["run-1"]
    assert not (tmp_path / "run-0").exists()
    worker.change([], [order(2, tmp_path)])
    assert rows_of(step(worker)) == {"run-1": 1, "run-2": 1}


def test_more_runs_than_lanes_make_more_lanes_and_those_under_way_stay(tmp_path):
    worker = worker_of([0], tmp_path)
    rows = {"run-0": [*step(worker)["run-0"].rows], "run-1": [], "run-2": []}
    worker.change([], [order(1, tmp_path), order(2, tmp_path)])
    completed = []
    for _ in range(EPOCHS):
        for key, report in step(worker).items():
            rows[key] += report.rows
            completed += [key] * (report.outcome == Completed())
    assert completed == ["run-0", "run-1", "run-2"]
    for number in range(3):
        assert_as_alone(rows[f"run-{number}"], number)
    assert step(worker) == {}


def test_a_new_worker_goes_on_from_the_checkpoints_and_reports_everything_again(tmp_path):
    worker = worker_of((0, 1), tmp_path)
    step(worker)
    step(worker)
    again = worker_of((1, 2, 0), tmp_path)
    # Before anything is trained: a run may be over or paused by what was trained already.
    restored = step(again)
    assert rows_of(restored) == {"run-1": 2, "run-0": 2}
    reports = step(again)
    assert rows_of(reports) == {"run-1": 1, "run-2": 1, "run-0": 1}
    for number in (0, 1):
        assert_as_alone([*restored[f"run-{number}"].rows, *reports[f"run-{number}"].rows], number)


def test_lanes_and_single_runs_go_on_from_each_others_checkpoints(tmp_path):
    step(worker_of((0, 1), tmp_path))
    engine = SerialEngine(run_of(0))
    engine.load_state(checkpoints.load_newest(tmp_path / "run-0"))
    engine.train_epoch()
    checkpoints.save(tmp_path / "run-0", engine.epoch, engine.state())
    again = worker_of((0, 1), tmp_path)
    restored = step(again)
    assert rows_of(restored) == {"run-0": 2, "run-1": 1}
    reports = step(again)
    assert rows_of(reports) == {"run-0": 1, "run-1": 1}
    assert_as_alone([*restored["run-0"].rows, *reports["run-0"].rows], 0)
    # In a lane that is free, too.
    again.change(["run-1"], [])
    again.change([], [order(1, tmp_path)])
    restored = step(again)
    assert rows_of(restored)["run-1"] == 2
    reports = step(again)
    assert rows_of(reports)["run-1"] == 1
    assert_as_alone([*restored["run-1"].rows, *reports["run-1"].rows], 1)


def test_runs_in_the_middle_of_a_schedule_of_the_batch_size_go_over_between_lanes_and_single_runs(tmp_path):
    """Lane 0 is at its first epoch, of batches of 32; lane 1 is at its third, of batches of 64."""
    doubled = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 2]}
    training = TrainingSettings(epochs=EPOCHS, batch_size=32, batch_size_schedule=doubled, learning_rate=0.05)
    orders = [order(number, tmp_path) for number in range(2)]
    orders = [dataclasses.replace(each, run=dataclasses.replace(each.run, training=training)) for each in orders]
    single = RunWorker(orders[1], CPU)
    rows = [row for _ in range(2) for row in single.step().rows]
    worker = LaneWorker(orders, CPU)
    assert rows_of(step(worker)) == {"run-1": 2}
    rows += step(worker)["run-1"].rows
    single = RunWorker(orders[1], CPU)
    assert len(single.step().rows) == 3
    rows += single.step().rows
    undisturbed = SerialEngine(orders[1].run)
    while not undisturbed.finished:
        undisturbed.train_epoch()
    for row, expected in zip(numbers(rows), numbers(undisturbed.history), strict=True):
        assert row[:2] == pytest.approx(expected[:2], rel=1e-3)


def test_a_confirmed_run_is_tested_as_a_single_run_one_a_step(tmp_path):
    orders = [order(0, tmp_path, "confirm"), order(1, tmp_path), order(2, tmp_path, "confirm")]
    worker = LaneWorker(orders, CPU)
    reports = [step(worker) for _ in range(EPOCHS)]
    last = {key: report.outcome for key, report in reports[-1].items()}
    assert last == {"run-0": None, "run-1": Completed(), "run-2": None}
    first = step(worker)
    assert rows_of(first) == {"run-0": 0}
    # Until the driver says that it is over, it would be tested again: a lost answer loses nothing.
    worker.change(["run-0", "run-1"], [])
    second = step(worker)
    assert rows_of(second) == {"run-2": 0}
    assert [row["test"] for row in second["run-2"].outcome.robustness] == ["fgsm", "fgsm"]
    for report, number in ((first["run-0"], 0), (second["run-2"], 2)):
        final, expected = report.outcome.final, final_row(alone(number))
        assert final.keys() == expected.keys()
        assert final["test_loss"] == pytest.approx(expected["test_loss"], rel=1e-3)
        assert final["test_accuracy"] == pytest.approx(expected["test_accuracy"], abs=1.01 / 360)
    worker.change(["run-2"], [])
    assert step(worker) == {}


def test_a_run_of_a_search_for_robust_accuracy_is_attacked_at_its_end(tmp_path):
    attack = {"attack": "fgsm", "epsilon": 0.05, "images": 100}
    objective = SecondObjective(kind="robust_accuracy", **attack)
    worker = LaneWorker([order(number, tmp_path, attack=objective) for number in (0, 1)], CPU)
    for _ in range(EPOCHS):
        assert all(report.outcome is None for report in step(worker).values())
    ((key, report),) = step(worker).items()
    assert key == "run-0"
    expected = validation_robustness(alone(0), **attack)
    assert report.outcome.robust_accuracy == pytest.approx(expected, abs=0.02)


def test_a_confirmed_run_that_was_trained_before_is_only_tested(tmp_path):
    engine = alone(0)
    checkpoints.save(tmp_path / "run-0", engine.epoch, engine.state())
    worker = worker_of([0], tmp_path, "confirm")
    first, second = step(worker)["run-0"], step(worker)["run-0"]
    assert (len(first.rows), first.outcome) == (EPOCHS, None)
    assert second.outcome.final == final_row(engine)


def test_a_run_that_diverges_says_so_and_the_others_go_on(tmp_path):
    wild = order(1, tmp_path, "confirm")
    wild = dataclasses.replace(
        wild, run=dataclasses.replace(wild.run, params={**wild.run.params, "learning_rate": 1e9})
    )
    worker = LaneWorker([order(0, tmp_path), wild], CPU)
    rows, diverged = [], None
    for epoch in range(EPOCHS):
        reports = step(worker)
        rows += reports["run-0"].rows
        if "run-1" in reports and reports["run-1"].outcome is not None:
            assert reports["run-1"].outcome == Diverged()
            diverged = epoch
            worker.change(["run-1"], [])
    assert diverged is not None
    assert_as_alone(rows, 0)


def train_to_the_end(worker):
    """The rows of each run of a worker, without their times."""
    rows = {}
    while reports := step(worker):
        for key, report in reports.items():
            rows.setdefault(key, []).extend({**row, "wall_s": 0} for row in report.rows)
        worker.change([key for key, report in reports.items() if report.outcome is not None], [])
    return rows


@pytest.mark.parametrize("count", [2, 3, 4])
def test_another_group_in_the_engine_of_one_before_trains_as_in_an_engine_of_its_own(tmp_path, count):
    """Of fewer runs than the engine has lanes, of as many, and of more; one of the group before diverged."""
    wild = order(1, tmp_path)
    wild = dataclasses.replace(
        wild, run=dataclasses.replace(wild.run, params={**wild.run.params, "learning_rate": 1e9})
    )
    worker = LaneWorker([order(0, tmp_path), wild, order(2, tmp_path)], CPU)
    train_to_the_end(worker)
    engine, fresh = worker._engine, worker_of(range(3, 3 + count), tmp_path / "alone")
    assert worker.take_up([order(number, tmp_path) for number in range(3, 3 + count)], CPU)
    assert (worker._engine is engine) == (count <= 3)
    assert train_to_the_end(worker) == train_to_the_end(fresh)


def test_a_group_in_the_engine_of_one_before_goes_on_from_its_checkpoints(tmp_path):
    step(worker_of([0, 1], tmp_path))
    worker = worker_of([2, 3], tmp_path)
    step(worker)
    assert worker.take_up([order(number, tmp_path) for number in (1, 4)], CPU)
    assert rows_of(step(worker)) == {"run-1": 1}
    assert rows_of(step(worker)) == {"run-1": 1, "run-4": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"regularizer": "l1", "params": {}},
        {"model": "nn-2"},
        {"fraction": 0.5},
        {"training": TrainingSettings(epochs=EPOCHS, batch_size=32)},
        {"dataset": "other"},
    ],
    ids=str,
)
def test_runs_of_another_kind_need_another_engine(tmp_path, monkeypatch, changed):
    digits = load("digits")
    monkeypatch.setattr("tune_reg.data.catalog._load", lambda name, _: digits if name == "digits" else copy(digits))
    monkeypatch.setattr("tune_reg.data.catalog._check_name", lambda _: None)
    worker, another = worker_of([0, 1], tmp_path), order(2, tmp_path)
    step(worker)
    another = dataclasses.replace(another, run=dataclasses.replace(another.run, **changed))
    assert not worker.take_up([another], CPU)
    assert not worker.take_up([order(2, tmp_path)], torch.device("meta"))
    assert rows_of(step(worker)) == {"run-0": 1, "run-1": 1}, "nothing was done"


def test_a_full_disk_is_told_from_a_run_that_fails(tmp_path):
    (tmp_path / "run-0").write_text("a file where the folder should be")
    message = worker_of([0], tmp_path).step()
    assert isinstance(message, StorageFault)
    assert "run-0: " in message.reason

"""A pack in this process, without Ray: each of its runs is as if it were alone."""

import dataclasses
import itertools

import pytest
import torch

from tune_reg.backends.lane_worker import DiskError, LaneWorker
from tune_reg.evaluation import final_row, validation_robustness
from tune_reg.training import Run, SerialEngine, TrainingSettings
from tune_reg.training import checkpoint as checkpoints

EPOCHS = 4
CPU = torch.device("cpu")


def run_of(number, **keys):
    training = TrainingSettings(epochs=EPOCHS, batch_size=64, learning_rate=0.05, **keys)
    strength = 10.0 ** -(number + 2)
    return Run("digits", "nn-2-small", "weight-decay", {"weight_decay": strength}, training, seed=number)


def config(number, folder, stage="search", **keys):
    run = run_of(number, **keys)
    return {
        "key": f"run-{number}",
        "run": {**dataclasses.asdict(run), "training": run.training.model_dump()},
        "data": None,
        "plugins": [],
        "checkpoints": str(folder / f"run-{number}"),
        "stage": stage,
        "robustness": {"fgsm": [0.1], "images": 50},
        "attack": None,
    }


def alone(number, epochs=EPOCHS, **keys):
    engine = SerialEngine(run_of(number, **keys))
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def numbers(rows):
    return [[row[name] for name in ("train_loss", "val_loss", "val_accuracy", "strength")] for row in rows]


def assert_as_alone(rows, number, **keys):
    """In float32 rounding grows: 240 images validate, and one of them may fall on the other side."""
    expected = numbers(alone(number, len(rows), **keys).history)
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    for ours, theirs in zip(numbers(rows), expected, strict=True):
        assert ours[:2] == pytest.approx(theirs[:2], rel=1e-3)
        assert ours[2] == pytest.approx(theirs[2], abs=1.01 / 240)
        assert ours[3] == theirs[3]


def test_the_order_in_which_lanes_end_changes_no_run(tmp_path):
    """One of three lanes is given to another run after the first epoch, another after the second, in every order."""
    seen = {}
    for order in itertools.permutations(range(3), 2):
        folder = tmp_path / "-".join(map(str, order))
        pack = LaneWorker([config(n, folder) for n in range(3)], CPU)
        rows = {f"run-{n}": [] for n in range(5)}
        for epoch in range(6):
            for report in pack.step():
                rows[report["key"]] += report["rows"]
            if epoch < 2:
                pack.change([f"run-{order[epoch]}"], [config(3 + epoch, folder)])
        for number in range(5):
            own = rows[f"run-{number}"]
            stopped = order.index(number) + 1 if number in order else EPOCHS
            assert len(own) == stopped
            for row, before in zip(numbers(own), seen.setdefault(number, numbers(own)), strict=False):
                assert row == pytest.approx(before, rel=1e-5)
            seen[number] = max(seen[number], numbers(own), key=len)
    for number in range(5):
        expected = numbers(alone(number).history)
        for ours, theirs in zip(seen[number], expected, strict=True):
            assert ours[:2] == pytest.approx(theirs[:2], rel=1e-3)


def test_a_run_that_is_dropped_trains_no_further(tmp_path):
    pack = LaneWorker([config(n, tmp_path) for n in range(2)], CPU)
    pack.step()
    checkpoints.remove(tmp_path / "run-0")  # as the driver does with those of a pruned run
    pack.change(["run-0"], [])
    assert [report["key"] for report in pack.step()] == ["run-1"]
    assert not (tmp_path / "run-0").exists()
    pack.change([], [config(2, tmp_path)])
    assert [(report["key"], len(report["rows"])) for report in pack.step()] == [("run-1", 1), ("run-2", 1)]


def test_more_runs_than_lanes_make_more_lanes_and_those_under_way_stay(tmp_path):
    pack = LaneWorker([config(0, tmp_path)], CPU)
    (first,) = pack.step()
    pack.change([], [config(1, tmp_path), config(2, tmp_path)])
    rows = {"run-0": first["rows"], "run-1": [], "run-2": []}
    done = []
    for _ in range(EPOCHS):
        for report in pack.step():
            rows[report["key"]] += report["rows"]
            done += [report["key"]] * report["done"]
    assert done == ["run-0", "run-1", "run-2"]
    for number in range(3):
        assert_as_alone(rows[f"run-{number}"], number)
    assert pack.step() == []


def test_a_new_pack_goes_on_from_the_checkpoints_and_says_everything_again(tmp_path):
    pack = LaneWorker([config(n, tmp_path) for n in (0, 1)], CPU)
    pack.step()
    pack.step()
    again = LaneWorker([config(n, tmp_path) for n in (1, 2, 0)], CPU)
    said = {report["key"]: report["rows"] for report in again.step()}
    assert {key: len(rows) for key, rows in said.items()} == {"run-1": 3, "run-2": 1, "run-0": 3}
    for number in (0, 1):
        assert_as_alone(said[f"run-{number}"], number)


def test_packs_and_single_runs_go_on_from_each_others_checkpoints(tmp_path):
    pack = LaneWorker([config(n, tmp_path) for n in (0, 1)], CPU)
    pack.step()
    engine = SerialEngine(run_of(0))
    engine.load_state(checkpoints.load_newest(tmp_path / "run-0"))
    engine.train_epoch()
    checkpoints.save(tmp_path / "run-0", engine.epoch, engine.state())
    again = LaneWorker([config(n, tmp_path) for n in (0, 1)], CPU)
    said = {report["key"]: report["rows"] for report in again.step()}
    assert {key: len(rows) for key, rows in said.items()} == {"run-0": 3, "run-1": 2}
    assert_as_alone(said["run-0"], 0)
    # In a lane that is free, too.
    again.change(["run-1"], [])
    again.change([], [config(1, tmp_path)])
    said = {report["key"]: report["rows"] for report in again.step()}
    assert {key: len(rows) for key, rows in said.items()} == {"run-0": 1, "run-1": 3}
    assert_as_alone(said["run-1"], 1)


def test_a_confirmed_run_is_tested_as_a_single_run_one_a_step(tmp_path):
    pack = LaneWorker([config(0, tmp_path, "confirm"), config(1, tmp_path), config(2, tmp_path, "confirm")], CPU)
    said = [pack.step() for _ in range(EPOCHS)]
    last = {report["key"]: report["done"] for report in said[-1]}
    assert last == {"run-0": False, "run-1": True, "run-2": False}
    (first,) = pack.step()
    assert (first["key"], first["rows"], first["done"]) == ("run-0", [], True)
    # Until the driver says that it is over, it would be tested again: a lost answer loses nothing.
    pack.change(["run-0", "run-1"], [])
    (second,) = pack.step()
    assert (second["key"], second["done"]) == ("run-2", True)
    assert [row["test"] for row in second["robustness"]] == ["fgsm", "fgsm"]
    for report, number in ((first, 0), (second, 2)):
        expected = final_row(alone(number))
        (final,) = report["final"]
        assert final.keys() == expected.keys()
        assert final["test_loss"] == pytest.approx(expected["test_loss"], rel=1e-3)
        assert final["test_accuracy"] == pytest.approx(expected["test_accuracy"], abs=1.01 / 360)
    pack.change(["run-2"], [])
    assert pack.step() == []


def test_a_run_of_a_search_for_robust_accuracy_is_attacked_at_its_end(tmp_path):
    attack = {"attack": "fgsm", "epsilon": 0.05, "images": 100}
    pack = LaneWorker([{**config(n, tmp_path), "attack": attack} for n in (0, 1)], CPU)
    for _ in range(EPOCHS):
        assert not any(report["done"] for report in pack.step())
    (report,) = pack.step()
    assert (report["key"], report["done"]) == ("run-0", True)
    assert report["robust_accuracy"] == pytest.approx(validation_robustness(alone(0), **attack), abs=0.02)


def test_a_confirmed_run_that_was_trained_before_is_only_tested(tmp_path):
    engine = alone(0)
    checkpoints.save(tmp_path / "run-0", engine.epoch, engine.state())
    pack = LaneWorker([config(0, tmp_path, "confirm")], CPU)
    (first,), (second,) = pack.step(), pack.step()
    assert (len(first["rows"]), first["done"], second["done"]) == (EPOCHS, False, True)
    assert second["final"] == [final_row(engine)]


def test_a_run_that_diverges_says_so_and_the_others_go_on(tmp_path):
    wild = config(1, tmp_path, "confirm")
    wild["run"]["params"] = {**wild["run"]["params"], "learning_rate": 1e9}
    pack = LaneWorker([config(0, tmp_path), wild], CPU)
    said, diverged = [], None
    for epoch in range(EPOCHS):
        reports = {report["key"]: report for report in pack.step()}
        said += reports["run-0"]["rows"]
        if reports.get("run-1", {}).get("diverged"):
            assert reports["run-1"]["done"]
            assert "final" not in reports["run-1"]
            diverged = epoch
            pack.change(["run-1"], [])
    assert diverged is not None
    assert_as_alone(said, 0)


def test_a_full_disk_is_told_from_a_run_that_fails(tmp_path):
    (tmp_path / "run-0").write_text("a file where the folder should be")
    pack = LaneWorker([config(0, tmp_path)], CPU)
    with pytest.raises(DiskError, match="run-0: "):
        pack.step()

"""What the benchmark of lanes computes rather than times, and that it runs where Ray and Optuna are missing."""

import doctest
import json
import signal
import subprocess
import sys

import pytest
import torch

WITHOUT = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "optuna", "foolbox"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
sys.path.insert(0, {folder!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_floor_of_a_perceptron_is_that_of_its_matrices(module):
    """A step of nn-2, by hand: 784-512-512-10, whose first layer needs no gradient by its inputs."""
    contenders = module("_lanes.contenders")
    case = contenders.Case("nn-2", "plain SGD", images=64, batch=32)
    weights = [784 * 512, 512 * 512, 512 * 10]
    work = contenders.work_of(case, 3)
    assert work.flop == 3 * 2 * 32 * (2 * sum(weights) + sum(weights[1:]))
    parameters = sum(weights) + 512 + 512 + 10
    assert work.bytes == 3 * (4 * 4 * parameters + 32 * 784)


def test_the_floor_of_convolutions_is_that_of_their_products(module):
    """Forward and backward pass of small-cnn cost at most three forward passes, and more than two."""
    contenders, roofline = module("_lanes.contenders"), module("_lanes.roofline")
    dataset = contenders.images_of(64)
    case = contenders.Case("small-cnn", "plain SGD", images=64, batch=16)
    network = contenders.Eager(case, dataset, torch.device("cpu")).engine.model
    forward = roofline.flop_of(lambda: network(torch.rand(16, 1, 28, 28)))
    assert 2 < contenders.work_of(case, 1).flop / forward < 3
    with_penalty = contenders.work_of(contenders.Case("small-cnn", "hsfob, one probe", images=64, batch=16), 1)
    assert with_penalty.flop > 1.5 * contenders.work_of(case, 1).flop


def test_the_floor_is_the_larger_of_bytes_and_flop(module):
    roofline = module("_lanes.roofline")
    assert roofline.floor(roofline.Work(100, 10), roofline.Speed(bandwidth=50.0, peak=1.0)) == 10.0
    assert doctest.testmod(roofline).failed == 0


def test_halving_keeps_the_best_third_so_far(module):
    assert doctest.testmod(module("_lanes.halving")).failed == 0
    halving = module("_lanes.halving").Halving(epochs=27)
    assert halving.rungs == [1, 3, 9]
    kept = [not halving.ends(1, value / 9) for value in range(9)]
    assert all(kept), "each is the best so far"
    halving = module("_lanes.halving").Halving(epochs=27)
    assert sum(not halving.ends(1, -value / 9) for value in range(9)) == 1


@pytest.fixture
def measured(module, monkeypatch, tmp_path):
    """Call the benchmark with ``alone(way)`` in the place of training; its rows as written, and what it printed.

    ``clock`` is a list with the seconds that have passed, which ``alone`` may advance.
    """
    lanes = module("lanes")
    clock = [0.0]

    class NoProcesses:
        def __init__(self, count, device):
            pass

        def seconds(self, case, epochs, *, graphed):
            return 1.0

        def stop(self):
            pass

    def call(alone, *arguments):
        monkeypatch.setattr(lanes, "measured_speed", lambda device: module("_lanes.roofline").Speed(1e9, 1e9))
        monkeypatch.setattr(lanes, "Processes", NoProcesses)
        monkeypatch.setattr(lanes, "alone", lambda way, make, options, speed: {"start": 0.0, **alone(way)})
        monkeypatch.setattr(lanes.time, "monotonic", lambda: clock[0])
        out = tmp_path / "lanes.json"
        common = ["--device", "cpu", "--trials", "0", "--each", "0.5", "--out", str(out)]
        lanes.main([*common, "--small", *arguments])
        return json.loads(out.read_text())["rows"]

    call.clock, call.out = clock, tmp_path / "lanes.json"
    return call


def test_what_matters_most_is_measured_first(measured):
    rows = measured(lambda way: {"rate": float(way.trials)}, "--lanes", "8", "4", "--precision", "bfloat16", "tf32")
    assert [(row["regularizer"], row["precision"], row["way"]) for row in rows] == [
        ("plain SGD", "float32", "eager"),
        ("plain SGD", "float32", "8 lanes"),
        ("adadecay", "float32", "8 lanes"),
        ("plain SGD", "bfloat16", "8 lanes"),
        ("plain SGD", "tf32", "8 lanes"),
        ("plain SGD", "float32", "4 processes"),
        ("plain SGD", "float32", "4 lanes"),
        ("adadecay", "float32", "eager"),
    ]


def test_a_model_ends_within_its_time_and_the_next_one_gets_as_much(measured):
    """A lane takes a quarter of a second for each of 6 epochs: 16 lanes 24, and 64 lanes 96, which are not begun."""

    def alone(way):
        measured.clock[0] += 6 * way.trials / 4
        return {"rate": 4.0}

    rows = measured(alone, "--model", "nn-2", "lenet-4", "--lanes", "16", "64", "4", "--seconds", "55")
    for model in ("nn-2", "lenet-4"):
        failed = {
            (row["regularizer"], row["precision"], row["way"]): row.get("failed")
            for row in rows
            if row["model"] == model
        }
        assert failed["plain SGD", "float32", "16 lanes"] is None
        assert failed["plain SGD", "float32", "64 lanes"] == "no time left"
        assert failed["adadecay", "float32", "16 lanes"] == "no time left", "it may take twice as long"
        assert failed["plain SGD", "bfloat16", "16 lanes"] is None
        assert failed["adadecay", "float32", "eager"] is None
    assert measured.clock[0] < 2 * 55


def test_the_kernels_that_the_first_lanes_compile_are_not_expected_of_the_next(measured):
    def alone(way):
        start = 30.0 if way.name == "64 lanes" and measured.clock[0] < 2 else 1.0
        measured.clock[0] += start + 6 * way.trials / 120
        return {"rate": 120.0, "start": start}

    rows = measured(alone, "--lanes", "64", "4", "--precision", "bfloat16", "--seconds", "60")
    assert [(row["precision"], row["way"]) for row in rows if row["regularizer"] == "plain SGD"] == [
        ("float32", "eager"),
        ("float32", "64 lanes"),
        ("bfloat16", "64 lanes"),
        ("float32", "4 processes"),
        ("float32", "4 lanes"),
    ]
    assert not [row for row in rows if "failed" in row]


def test_what_fails_is_a_row_and_the_next_is_measured(measured, capsys):
    def alone(way):
        if way.trials == 2:
            raise torch.cuda.OutOfMemoryError("CUDA out\nof memory")
        return {"rate": 3.0}

    rows = {row["way"]: row for row in measured(alone) if row["regularizer"] == "plain SGD"}
    assert rows["2 lanes"]["failed"] == "CUDA out of memory"
    assert rows["1 lanes"]["rate"] == 3.0
    assert "CUDA out of memory" in capsys.readouterr().out.split("nn-2, 128 images")[1]


def test_where_it_is_stopped_it_leaves_the_rows_so_far_and_their_table(measured, capsys):
    def alone(way):
        if way.name == "2 lanes":
            assert [row["way"] for row in json.loads(measured.out.read_text())["rows"]] == ["eager"]
            signal.raise_signal(signal.SIGTERM)
        return {"rate": 3.0}

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        measured(alone)
    assert signal.getsignal(signal.SIGTERM) is before
    assert [row["way"] for row in json.loads(measured.out.read_text())["rows"]] == ["eager"]
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[:6] == ["plain", "SGD", "float32", "eager", "3.00", "1.00"]


def test_rows_are_compared_with_eager_runs_and_with_plain_ones(module):
    table = module("_lanes.table")
    names = ("model", "regularizer", "precision", "way", "rate")
    rows = [
        dict(zip(names, ("nn-2", *values), strict=True))
        for values in (
            ("plain SGD", "float32", "eager", 2.0),
            ("plain SGD", "float32", "64 lanes", 100.0),
            ("adadecay", "float32", "eager", 1.0),
            ("adadecay", "float32", "64 lanes", 80.0),
            ("plain SGD", "bfloat16", "64 lanes", 200.0),
        )
    ]
    rows.append({**rows[0], "model": "lenet-4", "way": "64 lanes"})
    assert [table.beside_eager(row, rows) for row in rows] == [1, 50, 1, 80, 100, None]
    assert [table.cost_beside_plain(row, rows) for row in rows] == [1, 1, 2, 1.25, 0.5, 1]


@pytest.mark.slow
def test_it_runs_without_ray_and_optuna(tmp_path, folder):
    target = tmp_path / "lanes.json"
    arguments = ["--small", "--device", "cpu", "--out", str(target), "--figure", str(tmp_path / "lanes.png")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(folder=str(folder)), str(folder / "lanes.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    numbers = json.loads(target.read_text())
    assert {"device", "torch", "commit"} <= numbers["host"].keys()
    rows = {row["way"]: row for row in numbers["rows"] if row["regularizer"] == "plain SGD"}
    assert set(rows) == {"eager", "1 lanes", "2 lanes", "4 processes"}
    assert rows["2 lanes"]["step"] > rows["2 lanes"]["floor"] > 0
    assert set(numbers["sweep"]) == {"one at a time", "one lane", "4 lanes"}
    assert (tmp_path / "lanes.png").stat().st_size > 5000

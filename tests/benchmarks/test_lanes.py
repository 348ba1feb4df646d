"""What the benchmark of lanes computes rather than times, and that it runs where Ray and Optuna are missing."""

import doctest
import json
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
    work = contenders.work_of(case, 3, contenders.images_of(64))
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
    assert 2 < contenders.work_of(case, 1, dataset).flop / forward < 3
    with_penalty = contenders.work_of(contenders.Case("small-cnn", "hsfob, one probe", images=64, batch=16), 1, dataset)
    assert with_penalty.flop > 1.5 * contenders.work_of(case, 1, dataset).flop


def test_the_floor_is_the_larger_of_bytes_and_flop(module):
    roofline = module("_lanes.roofline")
    assert roofline.floor(roofline.Work(100, 10), roofline.Speed(bandwidth=50.0, peak=1.0)) == 10.0
    assert doctest.testmod(roofline).failed == 0


def test_the_graphed_single_run_is_the_single_run(module):
    """On a CPU its steps are eager; they must be those of the engine, or it is no rival."""
    contenders = module("_lanes.contenders")
    case, device = contenders.Case("nn-2", "adadecay", images=96, batch=32), torch.device("cpu")
    dataset = contenders.images_of(96)
    rival, run = contenders.Graphed(case, dataset, device), contenders.Eager(case, dataset, device)
    scores = rival.epoch()
    row = run.engine.train_epoch()
    for one, other in zip(rival.engine.parameters, run.engine.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    n = len(run.engine.val_index)
    assert scores == pytest.approx([row["val_loss"] * n, row["val_accuracy"] * n], rel=1e-4)


def test_halving_keeps_the_best_third_so_far(module):
    assert doctest.testmod(module("_lanes.halving")).failed == 0
    halving = module("_lanes.halving").Halving(epochs=27)
    assert halving.rungs == [1, 3, 9]
    kept = [not halving.ends(1, value / 9) for value in range(9)]
    assert all(kept), "each is the best so far"
    halving = module("_lanes.halving").Halving(epochs=27)
    assert sum(not halving.ends(1, -value / 9) for value in range(9)) == 1


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
    rows = numbers["measured"][0]["ways"]
    assert list(rows) == ["eager", "1 lanes", "2 lanes", "4 processes"]
    assert rows["2 lanes"]["step"] > rows["2 lanes"]["floor"] > 0
    assert set(numbers["sweep"]) == {"one at a time", "one lane", "4 lanes"}
    assert (tmp_path / "lanes.png").stat().st_size > 5000

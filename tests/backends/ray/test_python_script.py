"""A script whose model, regularizer and data stand in it, run by Ray's workers and gone on with by the command."""

import subprocess
import sys

import pytest
from processes import ROOT

from tune_reg import load

SCRIPT = """
import numpy as np
from torch import nn
from search_spaces import SearchSpace, loguniform
from tune_reg import Hyperparameter, Regularizer, Study, register

WIDTH = 8


@register
class Flat(Regularizer):
    name = "flat"
    formula = "L + lambda mean h^2"
    reference = "@misc{none}"
    hyperparameters = (Hyperparameter("strength", 0.01, "factor", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({"strength": loguniform(1e-4, 1e-2)})

    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        return strengths["strength"] * outputs.square().mean()


class Net(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs[0], WIDTH), nn.ReLU(), nn.Linear(WIDTH, classes))

    def forward(self, examples):
        return self.layers(examples)


if __name__ == "__main__":
    labels = np.arange(120) % 3
    study = Study(
        name="script", model=Net, dataset=(np.random.default_rng(0).normal(size=(120, 4)) + labels[:, None], labels),
        regularizers=["flat"], training={"epochs": 1, "batch_size": 32}, search={"trials": 1}, confirm={"seeds": 1},
    )
    print(study.run("out").best("flat"))
"""


@pytest.mark.ray
@pytest.mark.slow  # what lies in the results is tried in one process by tests/test_python_study.py
def test_a_script_of_one_file_runs_and_the_command_goes_on(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*words):
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    first = run("script.py")
    assert first.returncode == 0, first.stderr
    assert "strength" in first.stdout
    # Another process, which has never seen the script, trains a run more from the results directory alone.
    (tmp_path / "script.py").unlink()
    grown = tmp_path / "out" / "grown.toml"
    grown.write_text(
        (tmp_path / "out" / "study.toml").read_text().replace("[confirm]\nseeds = 1", "[confirm]\nseeds = 2")
    )
    second = run("-m", "tune_reg.cli", "run", str(grown), "--out", "out")
    assert second.returncode == 0, second.stdout + second.stderr
    final = load(tmp_path / "out").final().to_pylist()
    assert [(row["state"], row["seed"]) for row in final] == [("complete", 1), ("complete", 2)]

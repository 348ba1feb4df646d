"""A driver killed at any moment: what is finished stays, what was running goes on, nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.store import Results

ROOT = Path(__file__).parents[2]

STUDY = Study(
    name="killed",
    dataset="digits",
    model="nn-2-small",
    regularizers=["weight-decay", "adadecay"],
    training={"epochs": 4, "batch_size": 64},
    search={"trials": 7, "seeds": 2, "reduction_factor": 2},
    confirm={"seeds": 2},
)

#: Drives a sweep one run at a time, as a worker of Ray Tune does, but without Ray, so that it starts in no time.
DRIVER = """
import sys
from pathlib import Path

import torch

from tune_reg import Study
from tune_reg.evaluation import final_row
from tune_reg.execution.controller import StudyController
from tune_reg.training import SerialEngine, checkpoint

torch.set_num_threads(1)
directory = Path(sys.argv[1])
sweep = StudyController(Study.from_toml(directory / "study.toml"), directory)
print("begins", flush=True)
while not sweep.finished:
    run = sweep.next()
    engine = SerialEngine(run.run)
    kept = sweep.checkpoint_directory(run.key)
    state = checkpoint.load_newest(kept)
    if state is not None:
        engine.load_state(state)
    over = False
    while not engine.finished and not over:
        engine.train_epoch()
        checkpoint.save(kept, engine.epoch, engine.state())
        over = sweep.on_epochs(run.key, engine.history)
    if not over and not sweep.on_epochs(run.key, engine.history):
        sweep.end(run.key, "complete", final=final_row(engine) if run.stage == "confirm" else None)
print("ended", flush=True)
"""


def start(directory):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DRIVER, str(directory)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def prepared(directory):
    directory.mkdir()
    (directory / "study.toml").write_text(STUDY.to_toml())
    return directory


def told(directory):
    """What a study found, without times."""
    results = Results(directory)
    trials = [
        (t["regularizer"], t["trial"], t["params"], t["state"], t["value"], t["seeds"], t["epochs_trained"])
        for t in results.trials().to_pylist()
    ]
    final = [(f["regularizer"], f["seed"], f["trial"], f["test_accuracy"]) for f in results.final().to_pylist()]
    return sorted(trials), sorted(final)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = prepared(tmp_path_factory.mktemp("whole") / "out")
    process = start(directory)
    begin = time.monotonic()
    said, _ = process.communicate(timeout=200)
    assert "ended" in said, said
    return told(directory), time.monotonic() - begin


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_driver_killed_again_and_again_finds_what_the_uninterrupted_one_finds(tmp_path, uninterrupted, times):
    expected, seconds = uninterrupted
    states = {state for *_, state, _, _, _ in expected[0]}
    assert states == {"complete", "pruned"}
    directory = prepared(tmp_path / "out")
    drawn = random.Random(times)
    kills = 0
    while kills < times:
        process = start(directory)
        line = process.stdout.readline()
        assert line == "begins\n", line + process.stdout.read()
        try:
            process.wait(timeout=drawn.uniform(0.0, 1.5 / times * seconds))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        else:
            break
        finally:
            process.communicate()
    assert kills >= times // 2, "the study was over before it was killed often enough to say anything"
    said, _ = start(directory).communicate(timeout=200)
    assert "ended" in said, said
    assert told(directory) == expected
    assert StudyController(STUDY, directory).finished

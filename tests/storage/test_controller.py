"""A study in a store whose driver is killed at any moment, and goes on elsewhere."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tune_reg import Study, load
from tune_reg.execution.results_directory import claim
from tune_reg.storage.paths import to_path

ROOT = Path(__file__).parents[2]

STUDY = Study(
    name="stored",
    dataset="digits",
    model="nn-2-small",
    regularizers=["weight-decay", "adadecay"],
    training={"epochs": 4, "batch_size": 64},
    search={"trials": 6, "seeds": 2, "reduction_factor": 2},
    confirm={"seeds": 2},
)

#: Drives a sweep one run at a time, as a worker of Ray Tune does, but without Ray, so that it starts in no time.
DRIVER = """
import sys

import directory_store
import torch

from tune_reg import Study
from tune_reg.evaluation import final_row
from tune_reg.storage.paths import to_path
from tune_reg.search import journal
from tune_reg.execution.controller import StudyController
from tune_reg.store import Results
from tune_reg.training import SerialEngine, checkpoint

directory_store.install()
journal._JOINED = 20
torch.set_num_threads(1)
directory = to_path(sys.argv[1])
sweep = StudyController(Study(**Results(directory).study()), directory)
print("begins", flush=True)
while not sweep.finished:
    run = sweep.next()
    engine = SerialEngine(run.run)
    kept = to_path(str(sweep.checkpoint_directory(run.key)), answered=True)
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


def start(directory, here):
    here.mkdir()
    path = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DRIVER, str(directory)]
    return subprocess.Popen(
        command, cwd=here, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def told(directory):
    """What a study found, without times."""
    results = load(directory)
    tables = [results.trials(), results.epochs(), results.final(), results.robustness()]
    return [
        sorted(
            (tuple((name, repr(value)) for name, value in sorted(row.items()) if name != "wall_s"))
            for row in table.to_pylist()
        )
        for table in tables
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same study in a local folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "out").mkdir()
    claim(folder / "out", STUDY)
    driver = start(folder / "out", folder / "here")
    said = driver.communicate()[0]
    assert said.endswith("ended\n"), said
    return told(folder / "out")


def goes_on_until_it_ends(directory, tmp_path):
    dice = random.Random(0)
    for turn in range(30):
        driver = start(directory, tmp_path / f"machine-{turn}")
        assert driver.stdout.readline() == "begins\n", driver.communicate()[0]
        try:
            driver.wait(timeout=dice.uniform(2, 4) + 2 * turn)
        except subprocess.TimeoutExpired:
            driver.send_signal(signal.SIGKILL)
            driver.communicate()
        else:
            assert driver.returncode == 0, driver.communicate()[0]
            driver.communicate()
            return turn
    raise AssertionError("it did not end")


@pytest.mark.slow
def test_killed_again_and_again_on_s3(s3, undisturbed, tmp_path):
    place = to_path("s3://results/killed")
    claim(place, STUDY)
    s3.faults.every = 23
    try:
        kills = goes_on_until_it_ends(place, tmp_path)
    finally:
        s3.faults.every = 0
    assert kills >= 2
    assert s3.faults.refused > 5
    assert told(place) == undisturbed

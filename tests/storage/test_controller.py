"""A study in a store whose driver is killed at any moment, and goes on elsewhere."""

import random
import subprocess

import driver
import in_process
import pytest
from digits import digits_study
from tables import everything

from tune_reg.execution.results_directory import claim
from tune_reg.storage.paths import to_path

STUDY = digits_study(
    regularizers=["weight-decay", "adadecay"],
    training={"epochs": 4, "batch_size": 64},
    search={"trials": 6, "seeds": 2, "reduction_factor": 2},
    confirm={"seeds": 2},
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the study comes to in a local folder."""
    directory = tmp_path_factory.mktemp("undisturbed")
    in_process.run_study(STUDY, directory)
    return everything(directory)


def goes_on_until_it_ends(directory, tmp_path):
    """How often its driver was killed before."""
    rng = random.Random(0)
    for turn in range(30):
        machine = tmp_path / f"machine-{turn}"
        machine.mkdir()
        process = driver.start(directory, cwd=machine)
        assert process.stdout.readline() == driver.BEGINS, process.communicate()[0]
        try:
            process.wait(timeout=rng.uniform(2, 4) + 2 * turn)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            assert process.returncode == 0, process.communicate()[0]
            process.communicate()
            return turn
    raise AssertionError("it did not end")


@pytest.mark.slow
def test_killed_again_and_again_on_s3(s3, undisturbed, tmp_path):
    directory = to_path("s3://results/killed")
    claim(directory, STUDY)
    s3.faults.every = 23
    try:
        kills = goes_on_until_it_ends(directory, tmp_path)
    finally:
        s3.faults.every = 0
    assert kills >= 2
    assert s3.faults.refused > 5
    assert everything(directory) == undisturbed

"""A driver killed at any moment while training loops of the user's train: it ends as the undisturbed one."""

import time

import driver
import in_process
import own_loops
import pytest
from tables import everything

from tune_reg.execution.results_directory import claim
from tune_reg.study import Study

KILLS = 3


def study(loop):
    return Study(
        name="killed",
        trainer=f"own_loops:{loop}",
        examples=own_loops.EXAMPLES,
        regularizers=["weight-decay"],
        training={"epochs": 4, "batch_size": 20},
        search={"trials": 5, "sampler": "knowledge-gradient", "pruner": "pause", "shared_values": False},
        confirm={"seeds": 2},
        fractions=[0.5, 1.0],
    )


@pytest.mark.parametrize("loop", ["saves", pytest.param("forgets", marks=pytest.mark.slow)])
def test_a_driver_killed_again_and_again_ends_as_the_uninterrupted_one(tmp_path, loop):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    asked = study(loop)
    for directory in (whole, killed):
        directory.mkdir()
        claim(directory, asked)
    begin = time.monotonic()
    in_process.run_study(asked, whole)
    seconds = time.monotonic() - begin
    kills = driver.kill_again_and_again(killed, times=KILLS, seconds=seconds, seed=0)
    assert kills >= KILLS // 2, "the study was over before it was killed often enough to say anything"
    in_process.run_study(asked, killed)
    expected = everything(whole)
    assert {dict(row)["state"] for row in expected["trials"]} == {"'complete'", "'pruned'"}
    assert everything(killed) == expected

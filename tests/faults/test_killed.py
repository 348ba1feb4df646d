"""A driver killed at any moment: what is finished stays, what was running goes on, nothing is done twice."""

import time

import driver
import in_process
import pytest
from digits import digits_study
from tables import everything

from tune_reg.execution.controller import StudyController
from tune_reg.execution.results_directory import claim
from tune_reg.study import make_plan

STUDIES = {
    pruner: digits_study(
        regularizers=["weight-decay", "adadecay"],
        training={"epochs": 4, "batch_size": 64},
        search={"trials": 7, "seeds": 2, "sampler": sampler, "pruner": pruner, "reduction_factor": 2},
        confirm={"seeds": 2},
    )
    for sampler, pruner in (("tpe-gp", "predicted"), ("knowledge-gradient", "pause"), ("knowledge-gradient", "none"))
}


@pytest.fixture(scope="module", params=STUDIES, ids=["stopped", "paused", "to the end"])
def study(request):
    """A study whose trials are stopped, one whose trials are paused, and one whose trials are trained to the end."""
    return STUDIES[request.param]


@pytest.fixture(scope="module")
def uninterrupted(study, tmp_path_factory):
    """What the study comes to, and how many seconds it takes."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    claim(directory, study)
    begin = time.monotonic()
    in_process.run_study(study, directory)
    return everything(directory), time.monotonic() - begin


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_driver_killed_again_and_again_ends_as_the_uninterrupted_one(tmp_path, study, uninterrupted, times):
    expected, seconds = uninterrupted
    states = {dict(row)["state"] for row in expected["trials"]}
    assert states == ({"'complete'"} if study.search.pruner == "none" else {"'complete'", "'pruned'"})
    claim(tmp_path, study)
    kills = driver.kill_again_and_again(tmp_path, times=times, seconds=seconds, seed=times)
    assert kills >= times // 2, "the study was over before it was killed often enough to say anything"
    in_process.run_study(study, tmp_path)
    assert everything(tmp_path) == expected
    assert StudyController(make_plan(study), tmp_path).finished

"""The examples of training loops of one's own: each runs, is killed (kill -9), and ends as an undisturbed one."""

import importlib
import importlib.util
import subprocess

import driver
import in_process
import pytest
from tables import everything

from tune_reg.execution.preflight import preflight
from tune_reg.execution.results_directory import claim
from tune_reg.study import make_plan

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # of lightning and transformers
]
SMALL = {"search": {"trials": 2, "shared_values": False}, "confirm": {"seeds": 1}, "fractions": [1.0]}


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture(
    params=[
        "own_loop",
        pytest.param("lightning_loop", marks=[pytest.mark.slow, needs("lightning")]),
        pytest.param("hugging_face_loop", marks=[pytest.mark.slow, needs("transformers"), needs("accelerate")]),
    ]
)
def study(request, monkeypatch, examples):
    monkeypatch.syspath_prepend(examples)
    return importlib.import_module(request.param).study(**SMALL)


def epochs_kept(directory):
    """How many checkpoints there are, of all runs."""
    return sum(1 for _ in directory.glob("checkpoints/*/epoch-*.pt"))


def test_it_runs_and_is_killed_and_ends_as_the_undisturbed_one(tmp_path, study, examples, monkeypatch):
    assert preflight(make_plan(study)) == []
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for directory in (whole, killed):
        directory.mkdir()
        claim(directory, study)
    in_process.run_study(study, whole)
    final = in_process.Results(whole).final().to_pylist()
    assert {row["state"] for row in final} == {"complete"}, final
    # The driver runs in the folder of the examples, as a user would.
    kills = 0
    while kills < 3:
        before = epochs_kept(killed)
        process = driver.start(killed, cwd=examples)
        assert process.stdout.readline() == driver.BEGINS, process.communicate()[0]
        if _ends_before(process, killed, before + 2):
            break
        process.kill()
        process.communicate()
        kills += 1
    assert kills
    in_process.run_study(study, killed)
    assert everything(killed) == everything(whole)


def _ends_before(process, directory, checkpoints):
    """Whether a process ends before it has kept so many checkpoints; it is then in the middle of an epoch."""
    while True:
        try:
            process.communicate(timeout=0.05)
        except subprocess.TimeoutExpired:
            if epochs_kept(directory) >= checkpoints:
                return False
        else:
            return True

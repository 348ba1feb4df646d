"""Training loops of the user's own under a real Ray Tune, whose processes die or are about to go."""

import os
import signal

import in_process
import own_loops
import pytest
from tables import everything

from tune_reg.backends.ray.launch import run_study
from tune_reg.study import Study

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"), pytest.mark.timeout(240)]


def study(max_failures):
    return Study(
        name="loops",
        trainer="own_loops:gets_a_signal",
        examples=own_loops.EXAMPLES,
        regularizers=["weight-decay"],
        training={"epochs": 3, "batch_size": 20},
        search={"trials": 5, "sampler": "knowledge-gradient", "pruner": "pause"},
        confirm={"seeds": 2},
        # One run at a time, so that the search asks for the same trials as in one process.
        resources={"max_failures": max_failures, "cpus": os.cpu_count()},
    )


@pytest.mark.parametrize(
    ("number", "max_failures"),
    [(signal.SIGKILL, 1), pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow)],
    ids=["killed", "preempted"],
)
def test_a_run_whose_process_goes_goes_on_and_trials_are_paused(
    tmp_path, ray_cluster, monkeypatch, number, max_failures
):
    (tmp_path / "signal").write_text(str(int(number)))
    monkeypatch.chdir(tmp_path)  # workers are where the driver is
    asked = study(max_failures)
    results = run_study(asked, tmp_path / "ray")
    assert not (tmp_path / "signal").exists()
    assert {row["state"] for row in results.trials().to_pylist()} == {"complete", "pruned"}
    in_process.run_study(asked, tmp_path / "whole")
    assert everything(tmp_path / "ray") == everything(tmp_path / "whole")

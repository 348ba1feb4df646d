"""Studies that say nothing of GPUs, on a Ray that counts some: how they are shared, and what is said."""

import subprocess
import sys
from collections import Counter

import counted_gpus
import pytest
from digits import digits_study

from tune_reg import load

pytestmark = pytest.mark.ray


def on_counted_gpus(tmp_path, study, *, gpus, cpus, log=None):
    """Exit code and output of the study."""
    file = tmp_path / "study.toml"
    file.write_text(study.to_toml())
    words = [counted_gpus.__file__, file, tmp_path / "out", gpus, cpus, *([log] if log else [])]
    done = subprocess.run(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True, timeout=400, check=False
    )
    return done.returncode, done.stdout


SMALL = {"regularizers": ["weight-decay", "adadecay"], "training": {"epochs": 2, "batch_size": 64}}


@pytest.mark.timeout(400)
def test_a_gpu_that_torch_cannot_see_ends_the_study_before_training(tmp_path):
    code, out = on_counted_gpus(tmp_path, digits_study(**SMALL), gpus=2, cpus=2)
    assert code == 2
    *said, last = out.splitlines()
    assert said == [
        "gpus: auto, 2 GPUs are at hand, and a trial has one",
        "lanes: auto, measured on each GPU before the first group",
    ]
    assert "Ray counts a GPU there, but torch" in last
    assert last.endswith("say gpus = 0 under [resources]")
    assert len(load(tmp_path / "out").epochs()) == 0


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_two_methods_share_a_gpu_and_no_process_begins_that_has_none(tmp_path):
    log = tmp_path / "log"
    code, out = on_counted_gpus(tmp_path, digits_study(**SMALL, search={"trials": 4}), gpus=1, cpus=4, log=log)
    assert code == 0
    first, second, *measured = out.splitlines()
    assert first == "gpus: auto, 1 GPU is at hand, and 2 trials share one"
    assert second == "lanes: auto, measured on each GPU before the first group"
    assert measured
    assert all(line.startswith("lanes: ") and " for " in line for line in measured)
    setups = [line.split() for line in log.read_text().splitlines()]
    assert {(ids, share) for _, ids, share in setups} == {("0", "0.5")}
    # Two trials at a time, and their processes are used again, from search to confirmation and by both methods.
    assert len({pid for pid, *_ in setups}) == 2
    results = load(tmp_path / "out")
    assert results.provenance()["resources"] == {"gpus": 0.5, "lanes": "auto"}
    assert Counter(row["state"] for row in results.trials().to_pylist()).keys() <= {"complete", "pruned"}


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_single_runs_share_a_gpu_by_four(tmp_path):
    log = tmp_path / "log"
    study = digits_study(**SMALL, resources={"lanes": 1})
    code, out = on_counted_gpus(tmp_path, study, gpus=1, cpus=4, log=log)
    assert code == 0
    assert out.splitlines() == ["gpus: auto, 1 GPU is at hand, and 4 trials share one"]
    assert {line.split()[2] for line in log.read_text().splitlines()} == {"0.25"}
    assert load(tmp_path / "out").provenance()["resources"] == {"gpus": 0.25, "lanes": 1}

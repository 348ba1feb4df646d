"""A cluster of three raylets on this machine, one of which dies; a trial that takes its process down."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import run_study

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

#: Starting three raylets and a process for each trial took 100 s where ten other processes wanted the two cores. Only
#: a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down which process trains which epoch of which trial, and kills its process where it is told to. Before epoch
#: 2 each trial waits until the file ``go`` is there and does not name its process.
TRACED = """
import os, signal, time
from pathlib import Path
from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

@register
class {kind}(Regularizer):
    name = "{name}"
    formula = "nothing, written down"
    reference = "@misc{{traced}}"
    hyperparameters = (Hyperparameter("strength", 0.0, "names the trial", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({{"strength": choice({strengths})}})

    def weight_decay(self, strengths, progress):
        trial = strengths["strength"] * 1
        said = (float(trial), round(float(progress.epoch) * {last}))
        if getattr(self, "said", None) != said:
            self.said = said
            with Path({log!r}).open("a") as log:
                log.write(f"{{said[0]:g}} {{said[1]}} {{os.getpid()}} {{os.getppid()}}\\n")
            if trial > {deadly}:
                os.kill(os.getpid(), signal.SIGKILL)
            go = Path({log!r}).with_name("go")
            while said[1] == 2 and not (go.exists() and str(os.getpid()) not in go.read_text().split()):
                time.sleep(0.02)
        return strengths["strength"] * 0
"""
KEYS = {"name": "lost", "dataset": "digits", "model": "nn-2-small", "confirm": {"seeds": 1}}


def traced(folder, **how):
    plugin = folder / f"{how['name'].replace('-', '_')}.py"
    log = folder / "trained.txt"
    plugin.write_text(TRACED.format(kind=how["name"].title().replace("-", ""), log=str(log), **how))
    return plugin, log


def trained(log):
    """(trial, epoch, process, raylet) of each epoch that was begun, in order."""
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(float(trial), int(epoch), int(pid), int(raylet)) for trial, epoch, pid, raylet in rows]


@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_the_trials_of_a_node_that_dies_go_on_elsewhere_from_their_checkpoints(tmp_path):
    from ray.cluster_utils import Cluster

    epochs, strengths = 8, [0.0, 0.001, 0.002, 0.003]
    plugin, log = traced(tmp_path, name="traced", strengths=strengths, deadly=9, last=epochs - 1)
    from tune_reg.regularizers import load_plugin

    load_plugin(plugin)
    search = {"trials": 4, "pruner": "none", "sampler": "grid"}
    training = {"epochs": epochs, "batch_size": 256}
    study = Study(**KEYS, regularizers=["traced"], search=search, training=training)
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    command = [sys.executable, "-m", "tune_reg.cli", "run", tmp_path / "study.toml", "--out", out]
    command += ["--address", cluster.address, "--plugin", plugin]
    process = subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.worker_nodes}
        deadline = time.monotonic() + PATIENCE_S
        while not (waiting := [row for row in trained(log) if row[1] == 2 and row[3] in raylets]):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"{process.communicate()[0]}\ntrained: {trained(log)}")
            time.sleep(0.05)
        lost, _, doomed, victim = waiting[0]
        cluster.remove_node(raylets[victim], allow_graceful=False)
        # The processes of the node outlive the raylet by a moment, as orphans. This one goes no further.
        (tmp_path / "go.new").write_text(str(doomed))
        (tmp_path / "go.new").rename(tmp_path / "go")
        said, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        cluster.shutdown()
    assert process.returncode == 0, said
    results = load(out)
    rows = results.trials().to_pylist()
    assert sorted(row["param_strength"] for row in rows) == strengths
    assert [(row["state"], row["epochs_trained"]) for row in rows] == [("complete", epochs)] * 4
    stored = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(stored) == [(trial, epoch) for trial in range(4) for epoch in range(1, epochs + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # The trial that was on the node: gone on with in another process, from the two epochs that were kept.
    assert [epoch for trial, epoch, pid, _ in trained(log) if trial == lost and pid == doomed] == [0, 1, 2]
    elsewhere = [epoch for trial, epoch, pid, _ in trained(log) if trial == lost and pid != doomed]
    # If it won, its confirmed run follows, from 0.
    assert elsewhere[: epochs - 2] == list(range(2, epochs))


@pytest.mark.slow
def test_a_trial_that_kills_its_process_again_and_again_is_given_up(tmp_path, ray_cluster):
    plugin, log = traced(tmp_path, name="deadly", strengths=[0.0, 1.0], deadly=0.5, last=1)
    from tune_reg.regularizers import load_plugin

    load_plugin(plugin)
    keys = {
        "regularizers": ["deadly"],
        "search": {"trials": 2, "pruner": "none", "sampler": "grid"},
        "training": {"epochs": 2, "batch_size": 256},
        "resources": {"max_failures": 2},
    }
    results = run_study(Study(**KEYS, **keys), tmp_path / "out", plugins=[plugin])
    told = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert told[0.0] == ("complete", None)
    state, reason = told[1.0]
    assert state == "failed"
    assert "died" in reason or reason == "its process ended without a word"
    assert len({pid for trial, _, pid, _ in trained(log) if trial == 1.0}) == 3  # the first, and twice more
    assert results.final()["state"].to_pylist() == ["complete"]


@pytest.mark.parametrize("error", [None, "", "\n"])
def test_a_process_that_left_no_word_is_said_to_have_left_none(error):
    from types import SimpleNamespace

    from tune_reg.backends.ray.tune_adapters import failure_reason

    assert failure_reason(SimpleNamespace(get_error=lambda: error)) == "its process ended without a word"

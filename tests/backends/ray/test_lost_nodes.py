"""A cluster of two raylets on this machine, one of which dies; a trial that takes its process down."""

import re

import pytest
from digits import digits_study
from plugins import load_regularizer, logged
from processes import start_python, wait_until

from tune_reg import load
from tune_reg.backends.ray.launch import run_study

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

#: Starting raylets and a process for each trial took 100 s where ten other processes wanted the two cores. Only
#: a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down which process trains which epoch of which trial, and kills its process where the strength is above
#: ``deadly``. Before epoch 2 each trial waits until the file ``go`` is there and does not name its process.
TRACED = """
trial = strengths["strength"] * 1
begun = (float(trial), round(float(progress.epoch) * {last_epoch}))
if getattr(self, "begun", None) != begun:
    self.begun = begun
    with LOG.open("a") as log:
        log.write(f"{{begun[0]:g}} {{begun[1]}} {{os.getpid()}} {{os.getppid()}}\\n")
    if trial > {deadly}:
        os.kill(os.getpid(), signal.SIGKILL)
    go = LOG.with_name("go")
    while begun[1] == 2 and not (go.exists() and str(os.getpid()) not in go.read_text().split()):
        time.sleep(0.02)
return strengths["strength"] * 0
"""

#: Runs a study like the command, but draws no report of it at the end.
RUN = """
import sys
from pathlib import Path
from tune_reg.backends.ray.launch import run_study
from tune_reg.regularizers import load_plugin
from tune_reg.study import Study

study, out, address, plugin = sys.argv[1:]
load_plugin(Path(plugin))
print("said by the user", flush=True)
run_study(
    Study.from_toml(study),
    out,
    address=address,
    plugins=[Path(plugin)],
    note=lambda text: print("note:", text, flush=True),
)
"""


def load_traced(folder, name, strengths, *, last_epoch, deadly):
    return load_regularizer(folder, name, strengths, TRACED.format(last_epoch=last_epoch, deadly=deadly))


def trained(folder):
    """(trial, epoch, process, raylet) of each epoch that was begun, in order."""
    return [(float(trial), int(epoch), int(pid), int(raylet)) for trial, epoch, pid, raylet in logged(folder)]


@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_the_trials_of_a_node_that_dies_go_on_elsewhere_from_their_checkpoints(tmp_path, start_nodes):
    epochs, strengths = 5, [0.0, 0.001, 0.002]
    plugin = load_traced(tmp_path, "traced", strengths, last_epoch=epochs - 1, deadly=9)
    search = {"trials": 3, "pruner": "none", "sampler": "grid"}
    study = digits_study(regularizers=["traced"], search=search, training={"epochs": epochs, "batch_size": 256})
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"
    cluster = start_nodes(head_cpus=1, nodes=1)
    (raylet,) = cluster.raylets
    process = start_python("-c", RUN, tmp_path / "study.toml", out, cluster.address, plugin)
    try:
        ((lost, _, doomed, _),) = wait_until(
            lambda: [row for row in trained(tmp_path) if row[1] == 2 and row[3] == raylet], process, PATIENCE_S
        )
        cluster.tell(f"kill {raylet}")
        # The processes of the node outlive the raylet by a moment, as orphans. This one goes no further.
        (tmp_path / "go.new").write_text(str(doomed))
        (tmp_path / "go.new").rename(tmp_path / "go")
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, output
    said, lost_node = output.splitlines()
    assert said == "said by the user"
    assert re.fullmatch(
        r"note: node \S+ \([\d.]+\): is lost; its trials go on elsewhere, from their newest checkpoints",
        lost_node,
    )
    results = load(out)
    rows = results.trials().to_pylist()
    assert sorted(row["param_strength"] for row in rows) == strengths
    assert [(row["state"], row["epochs_trained"]) for row in rows] == [("complete", epochs)] * 3
    stored = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(stored) == [(trial, epoch) for trial in range(3) for epoch in range(1, epochs + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # The trial that was on the node: gone on with in another process, from the two epochs that were kept.
    assert [epoch for trial, epoch, pid, _ in trained(tmp_path) if trial == lost and pid == doomed] == [0, 1, 2]
    elsewhere = [epoch for trial, epoch, pid, _ in trained(tmp_path) if trial == lost and pid != doomed]
    # If it won, its confirmed run follows, from 0.
    assert elsewhere[: epochs - 2] == list(range(2, epochs))


@pytest.mark.slow
def test_a_trial_that_kills_its_process_again_and_again_is_given_up(tmp_path, ray_cluster):
    plugin = load_traced(tmp_path, "deadly", [0.0, 1.0], last_epoch=1, deadly=0.5)
    study = digits_study(
        regularizers=["deadly"],
        search={"trials": 2, "pruner": "none", "sampler": "grid"},
        training={"epochs": 2, "batch_size": 256},
        resources={"max_failures": 2},
    )
    results = run_study(study, tmp_path / "out", plugins=[plugin])
    outcomes = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert outcomes[0.0] == ("complete", None)
    state, reason = outcomes[1.0]
    assert state == "failed"
    assert "died" in reason or reason == "its process ended without a word"
    assert len({pid for trial, _, pid, _ in trained(tmp_path) if trial == 1.0}) == 3  # the first, and twice more
    assert results.final()["state"].to_pylist() == ["complete"]

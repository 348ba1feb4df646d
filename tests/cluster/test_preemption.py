"""A notice that a machine is about to go: what was trained is kept first, and the run goes on elsewhere."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tune_reg import Study, load
from tune_reg.regularizers import load_plugin
from tune_reg.search.launch import run_study
from tune_reg.search.notice import heeded

ROOT = Path(__file__).parents[2]
#: Only a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down which process trains which step of which trial, and takes its time.
SLOW = """
import os, time
from pathlib import Path
from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

@register
class {kind}(Regularizer):
    name = "{name}"
    formula = "nothing, slowly"
    reference = "@misc{{slow}}"
    hyperparameters = (Hyperparameter("strength", 0.0, "names the trial", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({{"strength": choice({strengths})}})

    def inputs(self, images, strengths, progress, noise):
        trial, at = float(strengths["strength"]), float(progress.step)
        with Path({log!r}).open("a") as log:
            log.write(f"{{trial:g}} {{at}} {{os.getpid()}} {{os.getppid()}}\\n")
        time.sleep({pause})
        return images
"""
EPOCHS = 3
STEPS = 12 * EPOCHS  # 1,437 digits, a sixth of which validates, in batches of 100


def study_of(folder, name, strengths, pause):
    # A process knows each name once.
    how = {"name": name, "kind": name.title(), "log": str(folder / "trained.txt"), "strengths": strengths}
    (folder / "slow.py").write_text(SLOW.format(**how, pause=pause))
    load_plugin(folder / "slow.py")
    return Study(
        name="told",
        dataset="digits",
        model="nn-2-small",
        regularizers=[name],
        search={"trials": len(strengths), "pruner": "none", "sampler": "grid"},
        training={"epochs": EPOCHS, "batch_size": 100},
        confirm={"seeds": 1},
        resources={"max_failures": 0},  # a notice is no failure
    )


def trained(folder):
    """(trial, step, process, raylet) of each step, in order."""
    log = folder / "trained.txt"
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(float(trial), round(float(at) * STEPS), int(pid), int(raylet)) for trial, at, pid, raylet in rows]


@pytest.mark.ray
@pytest.mark.slow
def test_a_process_that_gets_a_sigterm_keeps_its_steps_and_another_one_goes_on(tmp_path, ray_cluster):
    study = study_of(tmp_path, "told", [0.0], pause=0.05)
    told = []

    def tell():
        while not told:
            for _, step, pid, _ in trained(tmp_path):
                if step > 1.4 * STEPS / EPOCHS:
                    told.append(pid)
                    os.kill(pid, signal.SIGTERM)
                    return
            time.sleep(0.01)

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        results = run_study(study, tmp_path / "out", plugins=[tmp_path / "slow.py"])
    finally:
        told.append(None)
        thread.join()
    assert results.trials()["state"].to_pylist() == ["complete"]
    assert results.epochs().num_rows == 2 * EPOCHS
    search = trained(tmp_path)[:STEPS]
    assert [step for _, step, _, _ in search] == list(range(STEPS)), "each step once, in order"
    first, _ = dict.fromkeys(pid for _, _, pid, _ in search)
    assert first == told[0]
    left_at = sum(pid == first for _, _, pid, _ in search)
    assert left_at % (STEPS // EPOCHS) != 0, "in the middle of an epoch"


#: Starts a head and two nodes that train, says where they are, drains a node where it reads its number, and ends when
#: its input does. In a process of its own: the tests' has a Ray.
CLUSTER = """
import sys, time
import ray
from ray._raylet import GcsClient
from ray.core.generated.autoscaler_pb2 import DrainNodeReason
from ray.cluster_utils import Cluster
head = {"num_cpus": 0, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
pids = [node.all_processes["raylet"][0].process.pid for node in nodes]
print(cluster.address, *pids, flush=True)
for line in sys.stdin:
    if line == "lose the head\\n":
        cluster.remove_node(cluster.head_node, allow_graceful=False)
        print("lost", flush=True)
        continue
    node = nodes[pids.index(int(line))]
    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int(1000 * (time.time() + 600))
    print(GcsClient(address=cluster.address).drain_node(node.node_id, reason, "a notice", deadline), flush=True)
cluster.shutdown()
"""


@pytest.fixture
def start_cluster():
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        address, *raylets = process.stdout.readline().split()
        return process, address, [int(pid) for pid in raylets]

    yield start
    for process in started:
        process.communicate("", timeout=60)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_a_node_that_drains_is_left_and_after_its_head_is_lost_the_same_command_goes_on(tmp_path, start_cluster):
    strengths = [0.0, 0.001, 0.002]
    study = study_of(tmp_path, "drained", strengths, pause=0.2)
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"

    def command(address):
        words = ["run", tmp_path / "study.toml", "--out", out, "--address", address, "--plugin", tmp_path / "slow.py"]
        return subprocess.Popen(
            [sys.executable, "-m", "tune_reg.cli", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(sight):
        deadline = time.monotonic() + PATIENCE_S
        while (seen := sight(trained(tmp_path))) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"{process.communicate()[0]}\ntrained: {trained(tmp_path)}")
            time.sleep(0.05)
        return seen

    cluster, address, raylets = start_cluster()
    process = command(address)
    try:
        told = until(lambda rows: next((row for row in rows if row[1] == 16), None))
        trial, _, pid, raylet = told
        assert raylet in raylets
        cluster.stdin.write(f"{raylet}\n")
        cluster.stdin.flush()
        assert cluster.stdout.readline() == "(True, '')\n"
        # Elsewhere: there alone anything is trained from now on.
        until(lambda rows: next((row for row in rows if row[0] == trial and row[2] != pid), None))
        rows = trained(tmp_path)
        steps = [step for of, step, _, _ in rows if of == trial]
        assert steps == list(range(len(steps))), "each step once, in order, in two processes"
        assert {row[3] for row in rows[-1:]} == set(raylets) - {raylet}
        cluster.stdin.write("lose the head\n")
        cluster.stdin.flush()
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1, said
        assert said.splitlines()[-1].startswith(f"tune-reg: the head of the cluster, {address}, is lost; give the co")
        before = len(trained(tmp_path))
        _, address, _ = start_cluster()
        process = command(address)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    finally:
        process.kill()
    results = load(out)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3
    epochs = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(epochs) == [(number, epoch) for number in range(3) for epoch in range(1, EPOCHS + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # What the new cluster began with: no run was begun anew, and none was trained that had ended.
    again = trained(tmp_path)[before:]
    begun = {strength: [step for of, step, _, _ in again if of == strength] for strength in strengths}
    first = {strength: steps[0] for strength, steps in begun.items() if steps}
    assert first[trial] >= STEPS // EPOCHS, "from a checkpoint"
    assert all(step % (STEPS // EPOCHS) == 0 for step in first.values()), "the loss of a head is no notice"


def test_draining_is_looked_for_every_two_seconds():
    clock, answers, asked = [0.0], iter([False, False, True]), []

    def draining():
        asked.append(clock[0])
        return next(answers)

    told = []
    with heeded(draining, clock=lambda: clock[0]) as notice:
        for clock[0] in (0.0, 1.0, 1.9, 2.1, 3.0, 4.0, 4.2, 100.0):
            told.append(notice())
    assert told == [False] * 6 + [True] * 2, "once told, for ever"
    assert asked == [0.0, 2.1, 4.2]


def test_sigterm_is_a_notice_within_and_what_it_was_outside():
    got = []
    before = signal.signal(signal.SIGTERM, lambda *_: got.append("outside"))
    try:
        with heeded(lambda: False) as notice:
            assert not notice()
            signal.raise_signal(signal.SIGTERM)
            assert notice()
        assert got == []
        signal.raise_signal(signal.SIGTERM)
        assert got == ["outside"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_no_ray_runs_no_node_drains():
    with heeded() as notice:
        assert not notice()

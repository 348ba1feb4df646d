"""A machine is about to be taken away: what was trained is kept first, and the run goes on elsewhere."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import run_study
from tune_reg.backends.ray.preemption import preemption_watch

#: Only a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down each step, and takes its time.
HOOK = """
    def inputs(self, images, strengths, progress, noise):
        trace(float(strengths["strength"]), float(progress.step))
        time.sleep({pause})
        return images
"""
EPOCHS = 3
STEPS = 12 * EPOCHS  # 1,437 digits, a sixth of which validates, in batches of 100


@pytest.fixture
def slow_study(traced_plugin):
    """A study whose trials have the given strengths and pause in each step, and its plugin."""

    def make(name, strengths, pause):
        plugin = traced_plugin(name, strengths, HOOK.format(pause=pause))
        study = Study(
            name="preempted",
            dataset="digits",
            model="nn-2-small",
            regularizers=[name],
            search={"trials": len(strengths), "pruner": "none", "sampler": "grid"},
            training={"epochs": EPOCHS, "batch_size": 100},
            confirm={"seeds": 1},
            resources={"max_failures": 0},  # a preemption is no failure
        )
        return study, plugin

    return make


def step_of(row):
    """The number of a step that was trained, from 0."""
    return round(row.progress * STEPS)


@pytest.mark.ray
@pytest.mark.slow
def test_a_process_that_gets_a_sigterm_keeps_its_steps_and_another_one_goes_on(tmp_path, slow_study, ray_cluster):
    study, plugin = slow_study("stopped", [0.0], pause=0.05)
    stopped = []

    def stop_a_process():
        while not stopped:
            for row in plugin.trained():
                if step_of(row) > 1.4 * STEPS / EPOCHS:
                    stopped.append(row.pid)
                    os.kill(row.pid, signal.SIGTERM)
                    return
            time.sleep(0.01)

    thread = threading.Thread(target=stop_a_process)
    thread.start()
    try:
        results = run_study(study, tmp_path / "out", plugins=[plugin.path])
    finally:
        stopped.append(None)
        thread.join()
    assert results.trials()["state"].to_pylist() == ["complete"]
    assert results.epochs().num_rows == 2 * EPOCHS
    search = plugin.trained()[:STEPS]
    assert [step_of(row) for row in search] == list(range(STEPS)), "each step once, in order"
    first, _ = dict.fromkeys(row.pid for row in search)
    assert first == stopped[0]
    left_at = sum(row.pid == first for row in search)
    assert left_at % (STEPS // EPOCHS) != 0, "in the middle of an epoch"


#: A program that starts a head and two nodes that train, prints their addresses, drains a node whose number it reads,
#: and ends when its input ends. It needs a process of its own, because that of the tests has a Ray.
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
    """Start a cluster in a process of its own: the process, the address, and the process numbers of its raylets."""
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)
        address, *raylets = process.stdout.readline().split()
        return process, address, [int(pid) for pid in raylets]

    yield start
    for process in processes:
        process.communicate("", timeout=60)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_a_node_that_drains_is_left_and_after_its_head_is_lost_the_same_command_goes_on(
    tmp_path, slow_study, start_cluster, tune_reg_process, wait_for_trained
):
    strengths = [0.0, 0.001, 0.002]
    study, plugin = slow_study("drained", strengths, pause=0.2)
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"

    def run(address):
        words = ["run", tmp_path / "study.toml", "--out", out, "--address", address, "--plugin", plugin.path]
        return tune_reg_process(*words)

    def first_row(condition):
        return wait_for_trained(plugin, process, lambda rows: next(filter(condition, rows), None), PATIENCE_S)

    cluster, address, raylets = start_cluster()
    process = run(address)
    drained = first_row(lambda row: step_of(row) == 16)
    assert drained.raylet in raylets
    cluster.stdin.write(f"{drained.raylet}\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "(True, '')\n"
    # Elsewhere: there alone anything is trained from now on.
    first_row(lambda row: row.trial == drained.trial and row.pid != drained.pid)
    rows = plugin.trained()
    steps = [step_of(row) for row in rows if row.trial == drained.trial]
    assert steps == list(range(len(steps))), "each step once, in order, in two processes"
    assert {rows[-1].raylet} == set(raylets) - {drained.raylet}
    cluster.stdin.write("lose the head\n")
    cluster.stdin.flush()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, output
    assert output.splitlines()[-1].startswith(f"tune-reg: the head of the cluster, {address}, is lost; give the co")
    before = len(plugin.trained())
    _, address, _ = start_cluster()
    process = run(address)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    results = load(out)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3
    epochs = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(epochs) == [(number, epoch) for number in range(3) for epoch in range(1, EPOCHS + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # What the new cluster began with: no run was begun anew, and none was trained that had ended.
    again = plugin.trained()[before:]
    begun = {strength: [step_of(row) for row in again if row.trial == strength] for strength in strengths}
    first = {strength: steps[0] for strength, steps in begun.items() if steps}
    assert first[drained.trial] >= STEPS // EPOCHS, "from a checkpoint"
    assert all(step % (STEPS // EPOCHS) == 0 for step in first.values()), "the loss of a head is no preemption"


def test_draining_is_looked_for_every_two_seconds():
    clock, states, asked = [0.0], iter([False, False, True]), []

    def draining():
        asked.append(clock[0])
        return next(states)

    states_seen = []
    with preemption_watch(draining, clock=lambda: clock[0]) as preempted:
        for clock[0] in (0.0, 1.0, 1.9, 2.1, 3.0, 4.0, 4.2, 100.0):
            states_seen.append(preempted())
    assert states_seen == [False] * 6 + [True] * 2, "once preempted, for ever"
    assert asked == [0.0, 2.1, 4.2]


def test_sigterm_is_a_preemption_inside_the_context_and_what_it_was_outside():
    received = []
    before = signal.signal(signal.SIGTERM, lambda *_: received.append("outside"))
    try:
        with preemption_watch(lambda: False) as preempted:
            assert not preempted()
            signal.raise_signal(signal.SIGTERM)
            assert preempted()
        assert received == []
        signal.raise_signal(signal.SIGTERM)
        assert received == ["outside"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_no_ray_runs_no_node_drains():
    with preemption_watch() as preempted:
        assert not preempted()

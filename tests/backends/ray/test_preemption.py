"""Preemption: what was trained is kept first, and the run goes on elsewhere."""

import os
import signal
import threading
import time

import pytest
from digits import digits_study
from plugins import EVERY_STEP, load_regularizer, logged
from processes import start_command, wait_until

from tune_reg import load
from tune_reg.backends.ray.launch import run_study
from tune_reg.backends.ray.preemption import preemption_watch

#: Only a test that fails waits for so long.
PATIENCE_S = 300

#: Writes down which process trains which step of which trial, and takes its time.
SLOW = """
trial, share = float(strengths["strength"]), float(progress.step)
with LOG.open("a") as log:
    log.write(f"{{trial:g}} {{share}} {{os.getpid()}} {{os.getppid()}}\\n")
time.sleep({pause})
return images
"""
EPOCHS = 3
STEPS = 12 * EPOCHS  # 1,437 digits, a sixth of which validates, in batches of 100


def slow_study(folder, name, strengths, pause):
    """The study, and the plugin that it needs."""
    plugin = load_regularizer(folder, name, strengths, SLOW.format(pause=pause), hook=EVERY_STEP)
    study = digits_study(
        regularizers=[name],
        search={"trials": len(strengths), "pruner": "none", "sampler": "grid"},
        training={"epochs": EPOCHS, "batch_size": 100},
        resources={"max_failures": 0},  # preemption is no failure
    )
    return study, plugin


def trained(folder):
    """(trial, step, process, raylet) of each step, in order."""
    return [
        (float(trial), round(float(share) * STEPS), int(pid), int(raylet))
        for trial, share, pid, raylet in logged(folder)
    ]


@pytest.mark.ray
@pytest.mark.slow
def test_a_process_that_gets_a_sigterm_keeps_its_steps_and_another_one_goes_on(tmp_path, ray_cluster):
    study, plugin = slow_study(tmp_path, "preempted", [0.0], pause=0.05)
    preempted = []

    def preempt():
        while not preempted:
            for _, step, pid, _ in trained(tmp_path):
                if step > 1.4 * STEPS / EPOCHS:
                    preempted.append(pid)
                    os.kill(pid, signal.SIGTERM)
                    return
            time.sleep(0.01)

    thread = threading.Thread(target=preempt)
    thread.start()
    try:
        results = run_study(study, tmp_path / "out", plugins=[plugin])
    finally:
        preempted.append(None)
        thread.join()
    assert results.trials()["state"].to_pylist() == ["complete"]
    assert results.epochs().num_rows == 2 * EPOCHS
    search = trained(tmp_path)[:STEPS]
    assert [step for _, step, _, _ in search] == list(range(STEPS)), "each step once, in order"
    first, _ = dict.fromkeys(pid for _, _, pid, _ in search)
    assert first == preempted[0]
    left_at = sum(pid == first for _, _, pid, _ in search)
    assert left_at % (STEPS // EPOCHS) != 0, "in the middle of an epoch"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(2.5 * PATIENCE_S)
def test_a_node_that_drains_is_left_and_after_its_head_is_lost_the_same_command_goes_on(tmp_path, start_nodes):
    strengths = [0.0, 0.001, 0.002]
    study, plugin = slow_study(tmp_path, "drained", strengths, pause=0.2)
    (tmp_path / "study.toml").write_text(study.to_toml())
    out = tmp_path / "out"

    def command(address):
        return start_command("run", tmp_path / "study.toml", "--out", out, "--address", address, "--plugin", plugin)

    def first_row(condition):
        """The first step of which it is true, once there is one."""
        return wait_until(
            lambda: next((row for row in trained(tmp_path) if condition(*row)), None), process, PATIENCE_S
        )

    cluster = start_nodes(nodes=2)
    process = command(cluster.address)
    try:
        trial, _, pid, raylet = first_row(lambda _trial, step, _pid, _raylet: step == 16)
        assert raylet in cluster.raylets
        cluster.tell(f"drain {raylet}")
        # Elsewhere: there alone anything is trained from now on.
        first_row(lambda other_trial, _step, other_pid, _raylet: other_trial == trial and other_pid != pid)
        rows = trained(tmp_path)
        steps = [row[1] for row in rows if row[0] == trial]
        assert steps == list(range(len(steps))), "each step once, in order, in two processes"
        assert {rows[-1][3]} == set(cluster.raylets) - {raylet}
        cluster.tell("kill head")
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1, output
        lost = f"tune-reg: the head of the cluster, {cluster.address}, is lost; give the command again"
        assert output.splitlines()[-1].startswith(lost)
        before = len(trained(tmp_path))
        process = command(start_nodes(nodes=2).address)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
    finally:
        process.kill()
    results = load(out)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3
    epochs = [(row["trial"], row["epoch"]) for row in results.epochs().to_pylist() if row["stage"] == "search"]
    assert sorted(epochs) == [(number, epoch) for number in range(3) for epoch in range(1, EPOCHS + 1)]
    assert results.final()["state"].to_pylist() == ["complete"]
    # What the new cluster began with: no run was begun anew, and none was trained that had ended.
    again = trained(tmp_path)[before:]
    steps_of = {strength: [row[1] for row in again if row[0] == strength] for strength in strengths}
    first_steps = {strength: steps[0] for strength, steps in steps_of.items() if steps}
    assert first_steps[trial] >= STEPS // EPOCHS, "from a checkpoint"
    assert all(step % (STEPS // EPOCHS) == 0 for step in first_steps.values()), "the loss of a head preempts nobody"


def test_draining_is_looked_for_every_two_seconds():
    clock, draining, asked = [0.0], iter([False, False, True]), []

    def is_draining():
        asked.append(clock[0])
        return next(draining)

    preempted = []
    with preemption_watch(is_draining, clock=lambda: clock[0]) as is_preempted:
        for clock[0] in (0.0, 1.0, 1.9, 2.1, 3.0, 4.0, 4.2, 100.0):
            preempted.append(is_preempted())
    assert preempted == [False] * 6 + [True] * 2, "once preempted, for ever"
    assert asked == [0.0, 2.1, 4.2]


def test_sigterm_preempts_within_the_watch_and_is_what_it_was_outside():
    handled = []
    before = signal.signal(signal.SIGTERM, lambda *_: handled.append("outside"))
    try:
        with preemption_watch(lambda: False) as is_preempted:
            assert not is_preempted()
            signal.raise_signal(signal.SIGTERM)
            assert is_preempted()
        assert handled == []
        signal.raise_signal(signal.SIGTERM)
        assert handled == ["outside"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_no_ray_runs_no_node_drains(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # another test of this process may have started one
    with preemption_watch() as is_preempted:
        assert not is_preempted()

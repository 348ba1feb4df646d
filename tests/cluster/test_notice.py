"""A notice that a machine is about to go: what was trained is kept first, and the run goes on elsewhere."""

import os
import signal
import threading
import time

import pytest

from tune_reg import Study
from tune_reg.regularizers import load_plugin
from tune_reg.search.launch import run_study
from tune_reg.search.notice import heeded

#: Writes down which process trains which step of which trial, and takes its time.
SLOW = """
import os, time
from pathlib import Path
from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

@register
class Slow(Regularizer):
    name = "slow"
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


def study_of(folder, strengths, **keys):
    (folder / "slow.py").write_text(SLOW.format(log=str(folder / "trained.txt"), strengths=strengths, **keys))
    load_plugin(folder / "slow.py")
    return Study(
        name="told",
        dataset="digits",
        model="nn-2-small",
        regularizers=["slow"],
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
def test_a_process_that_gets_a_sigterm_keeps_its_steps_and_another_one_goes_on(tmp_path, ray_cluster):
    study = study_of(tmp_path, [0.0], pause=0.05)
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

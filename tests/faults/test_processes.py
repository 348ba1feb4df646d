"""Runs that hang, Ctrl-C, a raylet that dies."""

import contextlib
import os
import signal
import subprocess

import in_process
import pytest
from digits import digits_study
from plugins import load_regularizer
from processes import raylets_of, start_command, wait_until

from tune_reg import load
from tune_reg.backends.ray.launch import run_study

STUDY = digits_study(training={"epochs": 12, "batch_size": 16})

#: Hangs in its second epoch where its strength is above 1/2.
SLEEPY = """
if strengths["strength"] > 0.5 and progress.epoch > 0:
    time.sleep(10_000)
return strengths["strength"] * 0
"""


@pytest.mark.ray
def test_a_run_that_hangs_is_ended_and_named_and_the_study_goes_on(tmp_path, ray_cluster):
    plugin = load_regularizer(tmp_path, "sleepy", [1.0, 0.0], SLEEPY)
    study = digits_study(
        regularizers=["sleepy"],
        search={"trials": 2, "pruner": "none", "sampler": "random"},
        resources={"epoch_timeout_s": 4.0, "max_failures": 0},
    )
    results = run_study(study, tmp_path / "out", plugins=[plugin])
    outcomes = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert outcomes == {1.0: ("failed", "no epoch within 4 s"), 0.0: ("complete", None)}
    assert results.final()["state"].to_pylist() == ["complete"]


def start(directory):
    """The command in a process group of its own, once trials train."""
    (directory / "study.toml").write_text(STUDY.to_toml())
    out = directory / "out"
    process = start_command("run", directory / "study.toml", "--out", out, start_new_session=True)
    wait_until(lambda: list(out.glob("checkpoints/*/epoch-*.pt")), process, 240)
    return process


def goes_on_by_the_same_command(directory):
    process = start_command("run", directory / "study.toml", "--out", directory / "out")
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    assert_finished(load(directory / "out"))


def assert_finished(results):
    assert sorted(results.trials()["trial"].to_pylist()) == [0, 1, 2]
    assert set(results.trials()["state"].to_pylist()) == {"complete"}
    assert results.final().num_rows == 1


@pytest.mark.ray
@pytest.mark.timeout(800)  # only a test that fails takes so long: this one took 300 s with 30 processes a core
def test_ctrl_c_says_how_to_go_on_and_the_study_does(tmp_path):
    """It goes on in this process; that the command does so is tested below, where Ray is started once more."""
    stop(start(tmp_path), signal.SIGINT, 130)
    assert_finished(in_process.run_study(STUDY, tmp_path / "out"))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(800)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_ctrl_c_and_sigterm_say_how_to_go_on_and_the_same_command_does(tmp_path, sent, code):
    stop(start(tmp_path), sent, code)
    goes_on_by_the_same_command(tmp_path)


def stop(process, sent, code):
    process.send_signal(sent)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    assert "goes on from here" in output
    assert "Traceback" not in output


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(800)
def test_after_its_raylet_was_killed_the_same_command_goes_on(tmp_path):
    process = start(tmp_path)
    raylets = raylets_of(process.pid)
    assert raylets, "the raylet of the command was not found"
    for pid in raylets:
        os.kill(pid, signal.SIGKILL)
    try:
        process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        pytest.fail("the command waits for a raylet that is dead")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    # Runs that were under way need no raylet; only where a new process was needed does the study end here.
    assert process.returncode in (0, 1)
    goes_on_by_the_same_command(tmp_path)

"""Runs that hang, Ctrl-C, a raylet that dies."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import _interrupt_noted, run_study

ROOT = Path(__file__).parents[2]
KEYS = {
    "name": "processes",
    "dataset": "digits",
    "model": "nn-2-small",
    "regularizers": ["weight-decay"],
    "training": {"epochs": 12, "batch_size": 16},
    "search": {"trials": 3, "pruner": "none"},
    "confirm": {"seeds": 1},
}

#: Hangs in its second epoch where its strength is above 1/2.
SLEEPY = """
import time
from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

@register
class Sleepy(Regularizer):
    name = "sleepy"
    formula = "nothing, slowly"
    reference = "@misc{sleepy}"
    hyperparameters = (Hyperparameter("strength", 0.0, "above 1/2 it hangs", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({"strength": choice([0.0, 1.0])}, start=[{"strength": 1.0}, {"strength": 0.0}])

    def weight_decay(self, strengths, progress):
        if strengths["strength"] > 0.5 and progress.epoch > 0:
            time.sleep(10_000)
        return strengths["strength"] * 0
"""


@pytest.mark.ray
def test_a_run_that_hangs_is_ended_and_named_and_the_study_goes_on(tmp_path, ray_cluster):
    plugin = tmp_path / "sleepy.py"
    plugin.write_text(SLEEPY)
    from tune_reg.regularizers import load_plugin

    load_plugin(plugin)
    keys = {
        "regularizers": ["sleepy"],
        "search": {"trials": 2, "pruner": "none", "sampler": "random"},
        "training": {"epochs": 2, "batch_size": 64},
        "resources": {"epoch_timeout_s": 4.0, "max_failures": 0},
    }
    results = run_study(Study(**{**KEYS, **keys}), tmp_path / "out", plugins=[plugin])
    told = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert told == {1.0: ("failed", "no epoch within 4 s"), 0.0: ("complete", None)}
    assert results.final()["state"].to_pylist() == ["complete"]


def begun(directory):
    """The command, once trials train."""
    (directory / "study.toml").write_text(Study(**KEYS).to_toml())
    command = [
        sys.executable,
        "-m",
        "tune_reg.cli",
        "run",
        str(directory / "study.toml"),
        "--out",
        str(directory / "out"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while not list((directory / "out").glob("checkpoints/*/epoch-*.pt")):
        if process.poll() is not None or time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(process.communicate()[0])
        time.sleep(0.05)
    return command, environment, process


def goes_on(command, environment, out):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = load(out)
    assert sorted(results.trials()["trial"].to_pylist()) == [0, 1, 2]
    assert set(results.trials()["state"].to_pylist()) == {"complete"}
    assert results.final().num_rows == 1


@pytest.mark.ray
@pytest.mark.timeout(800)  # only a test that fails takes so long: this one took 300 s with 30 processes a core
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_ctrl_c_and_sigterm_say_how_to_go_on_and_the_same_command_does(tmp_path, sent, code):
    command, environment, process = begun(tmp_path)
    process.send_signal(sent)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert "goes on from here" in said
    assert "Traceback" not in said
    goes_on(command, environment, tmp_path / "out")


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(800)
def test_after_its_raylet_was_killed_the_same_command_goes_on(tmp_path):
    command, environment, process = begun(tmp_path)
    found = subprocess.run(
        ["pgrep", "-g", str(process.pid), "-f", "raylet/raylet"], capture_output=True, text=True, check=False
    )
    children = [int(pid) for pid in found.stdout.split()] or raylets_of(process.pid)
    assert children, "the raylet of the command was not found"
    for pid in children:
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
    goes_on(command, environment, tmp_path / "out")


def raylets_of(pid):
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    # Commands may have several lines.
    rows = [found.groups() for line in listed.splitlines() if (found := re.fullmatch(r" *(\d+) +(\d+) (.*)", line))]
    return [int(own) for own, parent, args in rows if parent == str(pid) and "raylet/raylet" in args]


def test_an_interrupt_that_is_lost_ends_the_study_all_the_same():
    noted = []

    class Lost:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)  # Python prints what is raised here, and drops it

    with pytest.MonkeyPatch.context() as patch, _interrupt_noted(SimpleNamespace(fail=noted.append)):
        patch.setattr(sys, "unraisablehook", lambda _: None)
        it = Lost()
        del it
    assert [type(error) for error in noted] == [KeyboardInterrupt]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Noting:
    fatal = None

    def fail(self, error):
        self.fatal = error


def test_sigterm_ends_a_study_as_ctrl_c_does_and_is_what_it_was_afterwards():
    before = signal.getsignal(signal.SIGTERM)

    def call():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # as Ray's calls do

    with pytest.raises(KeyboardInterrupt) as ended, _interrupt_noted(Noting()):
        call()
    assert ended.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_ctrl_c_is_ignored_it_stays_so_and_sigterm_ends_the_study():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _interrupt_noted(Noting()):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt) as ended, _interrupt_noted(Noting()):
            signal.raise_signal(signal.SIGTERM)
        assert ended.value.args == (signal.SIGTERM,)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_program_with_an_answer_of_its_own_to_ctrl_c_keeps_it():
    said = []
    before = signal.signal(signal.SIGINT, lambda *_: said.append("mine"))
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        with _interrupt_noted(Noting()):
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGTERM) is on_sigterm
    finally:
        signal.signal(signal.SIGINT, before)
    assert said == ["mine"]

"""A plugin that writes down what is trained, and the command in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

#: A regularizer that leaves a run as it is, and by which each process writes down what it trains.
TRACED = """
import os, signal, time
from pathlib import Path
from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

LOG = Path({log!r})

def trace(trial, progress):
    with LOG.open("a") as log:
        log.write(f"{{trial:g}} {{progress}} {{os.getpid()}} {{os.getppid()}}\\n")

@register
class {kind}(Regularizer):
    name = "{name}"
    formula = "nothing, written down"
    reference = "@misc{{traced}}"
    hyperparameters = (Hyperparameter("strength", 0.0, "names the trial", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace({{"strength": choice({strengths})}})

{hook}
"""


class Trained(NamedTuple):
    """A line of the log: what was trained, and by which process of which raylet."""

    trial: float
    progress: float
    pid: int
    raylet: int


class TracedPlugin:
    """A plugin whose only regularizer writes down what is trained.

    ``hook``: the source of a method of the regularizer, indented by four spaces; ``trace(trial, progress)`` is there
    to be called.
    """

    def __init__(self, folder, name, strengths, hook):
        self.path = folder / f"{name}.py"
        self._log = folder / "trained.txt"
        source = TRACED.format(kind=name.title(), name=name, strengths=strengths, hook=hook, log=str(self._log))
        self.path.write_text(source)

    def trained(self):
        """What was trained until now, in order."""
        rows = [line.split() for line in self._log.read_text().splitlines()] if self._log.exists() else []
        return [Trained(float(trial), float(progress), int(pid), int(raylet)) for trial, progress, pid, raylet in rows]


@pytest.fixture
def traced_plugin(tmp_path):
    """Write a plugin whose regularizer writes down what is trained, and register the regularizer in this process."""
    from tune_reg.regularizers import load_plugin

    def make(name, strengths, hook):
        plugin = TracedPlugin(tmp_path, name, strengths, hook)
        load_plugin(plugin.path)
        return plugin

    return make


@pytest.fixture
def tune_reg_process():
    """Start the command in a process of its own, which writes stdout and stderr into one pipe; killed in the end."""
    processes = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "tune_reg.cli", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def wait_for_trained():
    """Wait until ``choose(what was trained)`` is not None, and return it. Fails where the process ends before."""

    def wait(plugin, process, choose, patience_s):
        deadline = time.monotonic() + patience_s
        while (chosen := choose(plugin.trained())) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"{process.communicate()[0]}\ntrained: {plugin.trained()}")
            time.sleep(0.05)
        return chosen

    return wait

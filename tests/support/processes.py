"""The command in processes of its own, and what Ray starts for it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start_command(*words, **options) -> subprocess.Popen:
    """``tune-reg WORDS`` in a process of its own, with one stream of output."""
    return start_python("-m", "tune_reg.cli", *words, **options)


def start_python(*words, **options) -> subprocess.Popen:
    """``python WORDS`` in a process of its own, with one stream of output."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options},
    )


def wait_until(condition, process, patience_s):
    """What ``condition()`` gives once that is true; the test fails where ``process`` ends before, or time runs out."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"{process.communicate()}: what was waited for did not come")
        time.sleep(0.05)
    return value


def raylets_of(pid):
    """The raylets that a process has started."""
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    # Commands may have several lines.
    rows = [match.groups() for line in listed.splitlines() if (match := re.fullmatch(r" *(\d+) +(\d+) (.*)", line))]
    return [int(child) for child, parent, args in rows if int(parent) == pid and "raylet/raylet" in args]

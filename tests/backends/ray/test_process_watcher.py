"""What a killed driver leaves ends by itself; without Ray, whose node is played by a process of that name."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Starts a node, which starts an agent that hides its environment, and a worker; writes their process ids.
DRIVER = """
import subprocess, sys, time
from tune_reg.backends.ray.process_watcher import unmark, watched

NODE = '''
import subprocess, sys, time
open("/proc/self/comm", "w").write("raylet")
agent = subprocess.Popen(["env", "-i", "sleep", "600"])
worker = subprocess.Popen(["sleep", "600"])
print(agent.pid, worker.pid, flush=True)
time.sleep(600)
'''
with watched():
    node = subprocess.Popen([sys.executable, "-c", NODE], stdout=subprocess.PIPE, text=True)
    started = node.stdout.readline().split()
    unmark()
    later = subprocess.Popen(["sleep", "600"])
    time.sleep(1.5)  # the node is seen
    print(node.pid, *started, later.pid, flush=True)
    if sys.argv[1] == "killed":
        time.sleep(600)
"""


def alive(pid):
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_what_a_driver_started_ends_with_it(how):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, how],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    *started, later = map(int, driver.stdout.readline().split())
    try:
        assert len(started) == 3
        if how == "killed":
            assert all(map(alive, started))
            driver.kill()
        driver.wait(timeout=20)
        give_up = time.monotonic() + 15
        while any(map(alive, started)) and time.monotonic() < give_up:
            time.sleep(0.1)
        assert not any(map(alive, started))
        assert alive(later), "what is started once Ray runs is none of Ray's"
    finally:
        driver.stdout.close()
        for pid in filter(alive, (*started, later)):
            os.kill(pid, signal.SIGKILL)

"""Carries a study out in a process of its own, without Ray, so that a test can kill the process.

``start(directory)`` starts it. It says "begins" once the controller is there, and "ends" at the end.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
BEGINS, ENDS = "begins\n", "ends\n"


def start(directory, *, cwd=None) -> subprocess.Popen:
    """A process that begins the study in ``directory``, or goes on with it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(SUPPORT))), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), str(directory)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def kill_again_and_again(directory, *, times, seconds, seed) -> int:
    """Kill processes that carry the study on, so many times unless one ends it before; how many were killed.

    ``seconds``: how long the undisturbed study takes. The moments are drawn by ``seed``.
    """
    rng = random.Random(seed)
    kills = 0
    while kills < times:
        process = start(directory)
        line = process.stdout.readline()
        assert line == BEGINS, line + process.stdout.read()
        try:
            process.wait(timeout=rng.uniform(0.0, 1.5 / times * seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        else:
            break
        finally:
            process.communicate()
    return kills


def _main() -> None:
    import in_process
    import torch

    from tune_reg.execution.controller import StudyController
    from tune_reg.search import journal
    from tune_reg.storage.paths import to_path
    from tune_reg.store import Results
    from tune_reg.study import Study, make_plan

    journal._JOINED = 20  # in an object store logs are joined many times in a study of this size
    torch.set_num_threads(1)
    directory = to_path(sys.argv[1])
    controller = StudyController(make_plan(Study(**Results(directory).study())), directory)
    print(BEGINS, end="", flush=True)
    in_process.carry_out(controller)
    print(ENDS, end="", flush=True)


if __name__ == "__main__":
    _main()

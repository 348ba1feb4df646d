"""Calls spread over processes, for work that keeps one core busy while others idle.

``multiprocessing`` would run the caller's script again in each process, and joblib's processes stay when the caller is
killed. These processes read calls from a pipe, and end when the pipe ends or, in the middle of a call, soon after the
caller.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Where a process works: no file of the user's lies beside it.
_HERE: Final = Path(__file__).resolve().parent
_MOST: Final = 4  # each holds a matplotlib of its own
#: ``tune_reg`` finds ``analysis`` beside itself, whatever else on the path is called so.
_SERVE: Final = (
    "from tune_reg import own_packages; own_packages.claim('analysis'); "
    "from analysis.exports.processes import serve; serve()"
)
#: So often a process looks whether its caller is still there, in seconds.
_LOOK_S: Final = 0.5


def spread(function: Callable[..., T], calls: Iterable[tuple[Any, ...]], processes: int | None = None) -> list[T]:
    """The results of ``function`` for each of ``calls``, in their order, from as many processes as there are cores.

    ``calls``: the arguments of each call; they are read while the first calls run. ``processes``: None for as many
    as there are cores, at most 4; 0 for this one. Functions and arguments must be picklable. Raises ``RuntimeError``
    where a process ends before it gives its result; what the process wrote to stderr stands above.

    >>> spread(divmod, [(7, 2), (9, 4)], processes=2)
    [(3, 1), (2, 1)]
    """
    count = min(_MOST, cores()) if processes is None else processes
    if count == 0:
        return [function(*arguments) for arguments in calls]
    idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()

    def call(arguments: tuple[Any, ...]) -> T:
        process = idle.get()
        try:
            return _result(process, function, arguments)
        finally:
            idle.put(process)

    with ExitStack() as started:
        for _ in range(count):
            idle.put(started.enter_context(_process()))
        threads = ThreadPoolExecutor(count)
        started.callback(threads.shutdown, cancel_futures=True)
        return [future.result() for future in [threads.submit(call, arguments) for arguments in calls]]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve() -> None:
    """Read calls from stdin and write their results to stdout, until stdin or the caller, ``sys.argv[1]``, ends."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a function prints must not stand among the results
    with suppress(EOFError, BrokenPipeError):  # the caller has no more calls, or is gone
        while True:
            function, arguments = pickle.load(sys.stdin.buffer)
            pickle.dump(function(*arguments), results)
            results.flush()


def _end_with(caller: int) -> None:
    """End this process when its caller does: the pipe tells only between two calls, and one can take long."""
    while os.getppid() == caller:
        time.sleep(_LOOK_S)
    os._exit(1)


def _process() -> subprocess.Popen[bytes]:
    # A notebook names a backend of its own. matplotlib would read a matplotlibrc of the user's, from which nothing is
    # taken, and which it may not be able to read: in the working folder, at MATPLOTLIBRC or in their home.
    path = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path if folder)
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "agg", **_plain_matplotlib()}
    # -P: no working folder in front, where a user's analysis.py or queue.py may lie.
    command = [sys.executable, "-P", "-c", _SERVE, str(os.getpid())]
    # In a session of its own Ctrl-C does not reach it, not even while it starts; the caller then closes the pipe.
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True, cwd=_HERE
    )


def _plain_matplotlib() -> dict[str, str]:
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return {}
    return {"MATPLOTLIBRC": str(Path(spec.origin).parent / "mpl-data" / "matplotlibrc")}


def _result(process: subprocess.Popen[bytes], function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    assert process.stdin is not None
    assert process.stdout is not None
    # Before anything is written: what cannot be pickled would leave half a call in the pipe.
    message = pickle.dumps((function, arguments))
    try:
        process.stdin.write(message)
        process.stdin.flush()
        result: T = pickle.load(process.stdout)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        raise RuntimeError(f"a process that ran {function.__name__} ended with {process.wait()}") from None
    return result

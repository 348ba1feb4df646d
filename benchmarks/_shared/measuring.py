"""Clocks, and the memory that a call needs."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Mapping

import torch


def wait(device: torch.device) -> None:
    """Wait until ``device`` has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, until ``device`` is done with it."""
    wait(device)
    begin = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - begin


def quickest(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds of the quickest of ``repeats`` calls, after one that is not timed."""
    call()
    return min(timed(call, device) for _ in range(repeats))


def least_in_turn(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least processor time of each call, in seconds: on one thread it is the time of an idle machine.

    The calls take turns, so that a machine that slows down slows all of them.
    """
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            least[name] = min(least[name], time.process_time() - begin)
    return least


def memory_growth(call: Callable[[], object]) -> float:
    """Bytes by which ``call`` raises the peak memory of a process, measured in a fork of this one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            before = _peak()
            call()
            os.write(write, str(_peak() - before).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        grown = pipe.read()
    os.waitpid(child, 0)
    if not grown:
        raise RuntimeError("the process whose memory was measured has failed")
    return float(grown)


def _peak() -> int:
    """The peak resident memory of this process, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

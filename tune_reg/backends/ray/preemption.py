"""Preemption: how the processes that train on a machine hear that the machine is about to go.

Ray marks a node as draining where it is told: by an autoscaler, by ``ray drain-node``, and by ``ray start --block``,
which Kubernetes sends a SIGTERM before it ends a pod. Where nobody tells Ray, the process that
trains may get the SIGTERM.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import ray
from ray.exceptions import RayActorError, RayError

#: Seconds between two questions to Ray, each of which takes a millisecond.
_INTERVAL_S: Final = 2.0


class Preempted(RayActorError):  # noqa: N818 - Ray's word, and nothing is wrong with the run
    """A run has left a machine that is about to go: Tune starts it elsewhere, and does not count a failure."""

    def __init__(self) -> None:
        super().__init__(error_msg="the machine is about to go", preempted=True)


def draining_nodes() -> set[str]:
    """The nodes of the cluster that are about to go, by their identifiers: Ray starts nothing there any more."""
    from ray._private.state import state

    return set(state.get_draining_nodes())


@contextmanager
def preemption_watch(
    draining: Callable[[], bool] | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], bool]]:
    """Give a function that says whether this machine is about to go; meanwhile a SIGTERM says so, too.

    Without the watch a SIGTERM ends a process of Ray's at once. ``draining``: whether the node is about to go; by
    default the node of this process, where it is one of Ray's. Asked when the context begins, and then every two
    seconds.
    """
    is_draining = draining or _this_node_drains
    preempted = is_draining()
    last_asked = clock()

    def on_sigterm(*_: object) -> None:
        nonlocal preempted
        preempted = True

    def is_preempted() -> bool:
        nonlocal preempted, last_asked
        if not preempted and clock() - last_asked >= _INTERVAL_S:
            last_asked = clock()
            preempted = preempted or is_draining()
        return preempted

    if threading.current_thread() is not threading.main_thread():
        yield is_preempted
        return
    before = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield is_preempted
    finally:
        signal.signal(signal.SIGTERM, before)


def _this_node_drains() -> bool:
    if not ray.is_initialized():
        return False
    try:
        return ray.get_runtime_context().get_node_id() in draining_nodes()
    except RayError:  # a head node that does not answer says nothing
        return False

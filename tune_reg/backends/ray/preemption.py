"""The notice that a machine is about to go, as the processes that train on it get it.

Ray marks a node as draining where it is told: by an autoscaler, by ``ray drain-node``, and by ``ray start --block``,
which Kubernetes sends a SIGTERM before it ends a pod. Where nobody tells Ray, the process itself may get the SIGTERM.
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

#: So often Ray is asked, which takes a millisecond.
_LOOK_S: Final = 2.0


class Preempted(RayActorError):  # noqa: N818 - Ray's word, and nothing is wrong with the run
    """A run has left its machine after a notice: Tune starts it elsewhere, and does not count a failure."""

    def __init__(self) -> None:
        super().__init__(error_msg="the machine is about to go", preempted=True)


def draining_nodes() -> set[str]:
    """The nodes of the cluster that are about to go, by their identifiers: Ray starts nothing there any more."""
    from ray._private.state import state

    return set(state.get_draining_nodes())


@contextmanager
def heeded(
    draining: Callable[[], bool] | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], bool]]:
    """Gives whether a notice has come; meanwhile SIGTERM is one, which else ends a process of Ray's at once.

    ``draining``: whether the node is; by default that of this process, where it is one of Ray's. Asked when the context
    begins, and then every two seconds.
    """
    asked = draining or _own_node_drains
    told = asked()
    looked = clock()

    def note(*_: object) -> None:
        nonlocal told
        told = True

    def come() -> bool:
        nonlocal told, looked
        if not told and clock() - looked >= _LOOK_S:
            looked = clock()
            told = told or asked()
        return told

    if threading.current_thread() is not threading.main_thread():
        yield come
        return
    before = signal.signal(signal.SIGTERM, note)
    try:
        yield come
    finally:
        signal.signal(signal.SIGTERM, before)


def _own_node_drains() -> bool:
    if not ray.is_initialized():
        return False
    try:
        return ray.get_runtime_context().get_node_id() in draining_nodes()
    except RayError:  # a head that does not answer gives no notice
        return False

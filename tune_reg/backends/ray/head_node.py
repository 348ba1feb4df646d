"""The head of a Ray cluster: whether it answers, before a study starts there and while it runs."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tune_reg.errors import ClusterError, one_line

#: So long it may take to answer at first.
_ANSWER_S: Final = 10.0
#: So often it is looked for later, so long it may then take, and so often in a row it may be missed: in all, less than
#: the minute after which Ray ends the process.
_LOOK_S: Final = 2.0
_PATIENCE_S: Final = 5.0
_MISSED: Final = 5


def refuse_unreachable(address: str) -> None:
    """``ClusterError`` where no head listens at ``address``: Ray would try for minutes, and say so in many lines."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        at = canonicalize_bootstrap_address(address)  # "auto" may name a cluster that has died
        if at is None:
            raise ClusterError(f"--address {address}: no Ray runs here; start one (`ray start`) or name its head")
        _knock(at, _ANSWER_S)
    except (OSError, ValueError) as error:
        said = f"{one_line(error)}; is the head up? Its address is HOST:PORT"
        raise ClusterError(f"--address {address}: cannot be reached ({said})") from None


@contextmanager
def head_watched(head: str | None = None) -> Iterator[None]:
    """Ends the process where the head of the cluster is lost, with exit code 1 and a line that says how to go on.

    Ray would end it, too, but only after a minute and in its own words. Until then its calls do not return, so that no
    exception could be raised. Nothing is lost: it is as if the process were killed.
    ``head``: HOST:PORT; by default that of the cluster which this process is connected to.
    """
    if head is None:
        import ray

        head = ray.get_runtime_context().gcs_address
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(head, over), name="tune-reg-head", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(head: str, over: threading.Event) -> None:
    answered, missed = False, 0  # one that was never reached from here, through Ray's client, say, is not watched
    while not over.wait(_LOOK_S):
        try:
            _knock(head, _PATIENCE_S)
            answered, missed = True, 0
        except OSError:
            missed += answered
        if missed == _MISSED:
            sys.stdout.flush()
            sys.stderr.write(
                f"tune-reg: the head of the cluster, {head}, is lost; give the command again, with the address of one "
                "that is up, and it goes on\n"
            )
            sys.stderr.flush()
            os._exit(1)


def _knock(address: str, patience_s: float) -> None:
    """``OSError`` where nobody answers at HOST:PORT."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=patience_s).close()

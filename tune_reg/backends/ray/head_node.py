"""The head node of a Ray cluster: whether it answers, before a study starts there and while it runs."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tune_reg.backends.ray.authentication import NO_TOKEN, use_token
from tune_reg.errors import ClusterError, one_line

#: Seconds that the head node may take to answer before a study starts.
_ANSWER_S: Final = 10.0
#: While a study runs: seconds between two tries to reach the head node, seconds that it may take to answer a try, and
#: failed tries in a row after which it is lost. In all that is less than the minute after which Ray ends the process.
_INTERVAL_S: Final = 2.0
_PATIENCE_S: Final = 5.0
_FAILED_TRIES: Final = 5


def reached(address: str) -> str:
    """HOST:PORT of the head of the cluster at ``address``; ``ClusterError`` where a study cannot run there from here.

    No head listens there, it refuses this machine's token, or this machine is no node of the cluster: Ray would try
    for minutes and say so in many lines, or end the process.
    """
    from ray._private.services import canonicalize_bootstrap_address

    try:
        head: str | None = canonicalize_bootstrap_address(address)  # "auto" may name a cluster that has died
        if head is None:
            raise ClusterError(f"--address {address}: no Ray runs here; start one (`ray start`) or name its head")
        _reach(head, _ANSWER_S)
    except (OSError, ValueError) as error:
        reason = f"{one_line(error)}; is the head up? Its address is HOST:PORT"
        raise ClusterError(f"--address {address}: cannot be reached ({reason})") from None
    alive = _nodes_alive(address, head)
    if alive is not None and not any(map(is_of_this_machine, alive)):
        raise ClusterError(
            f"--address {address}: this machine is no node of that cluster ({', '.join(alive) or 'it has none'}); give "
            f"the command on one, let this machine join (`ray start --address={head}`), or send the study with "
            "`tune-reg submit`"
        )
    return head


def _nodes_alive(address: str, head: str) -> list[str] | None:
    """The addresses of the nodes that are up; None where something is wrong that Ray's own connection says better."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError

    def asked() -> list[str]:
        with _no_stderr():  # Ray's C++ code would say in a line of its own that a token is asked for
            nodes = GcsClient(address=head).get_all_node_info().values()
        return sorted({node.node_manager_address for node in nodes if node.state == node.ALIVE})

    try:
        try:
            return asked()
        except AuthenticationError:
            # Only now: on a cluster that asks for no token, a process that asks for one is reached by no other.
            use_token()
            return asked()
    except AuthenticationError:
        raise ClusterError(f"--address {address}: {NO_TOKEN}") from None
    except ClusterError:
        raise
    except Exception:
        return None


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Drop what is written to the descriptor of stderr meanwhile, by any language."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def is_of_this_machine(address: str) -> bool:
    """Whether a network address is one of this machine's.

    >>> is_of_this_machine("127.0.0.1"), is_of_this_machine("203.0.113.7")
    (True, False)
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        try:
            tried.bind((address, 0))
        except OSError:
            return False
    return True


@contextmanager
def watch_head(head: str | None = None) -> Iterator[None]:
    """End the process where the head node is lost, with exit code 1 and a line that says how to go on.

    Ray would end the process, too, but only after a minute and in its own words. Until then Ray's calls do not return,
    so that no exception could be raised. Nothing is lost: it is as if the process were killed.
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
    # A head node that was never reached from this machine, as through Ray's client, is not watched.
    answered, failed_tries = False, 0
    while not over.wait(_INTERVAL_S):
        try:
            _reach(head, _PATIENCE_S)
            answered, failed_tries = True, 0
        except OSError:
            failed_tries += answered
        if failed_tries == _FAILED_TRIES:
            sys.stdout.flush()
            sys.stderr.write(
                f"tune-reg: the head of the cluster, {head}, is lost; give the command again, with the address of one "
                "that is up, and it goes on\n"
            )
            sys.stderr.flush()
            os._exit(1)


def _reach(address: str, patience_s: float) -> None:
    """Connect to HOST:PORT once; ``OSError`` where nobody answers."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=patience_s).close()

"""A results folder as the head node of a Ray cluster sees it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tune_reg.backends.ray.authentication import use_token
from tune_reg.cluster.folders import FileEntry, Folder, LocalFolder
from tune_reg.errors import ClusterError, StoreError, one_line

_TRIES: Final = 3


@contextmanager
def folder_on(address: str, path: str) -> Iterator[Folder]:
    """A results folder on the head node of a Ray cluster, while the context lasts.

    ``address``: ``ray://HEAD:10001`` from anywhere, ``auto`` on the head node itself. ``ClusterError`` where the
    cluster cannot be reached.
    """
    if address.startswith(("http://", "https://")):
        raise ClusterError(f"--address: fetch speaks to Ray itself; give ray://HEAD:10001 in place of {address}")
    import ray

    _connect(address)
    try:
        # The job ran on the head node, and the folder may lie on that node's own disk. Trials keep their CPUs.
        actor = ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001})(LocalFolder)
        yield RayFolder(actor.remote(path))
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    """Connect this process to a cluster. ``ClusterError`` where the cluster cannot be reached or used."""
    import ray

    use_token()
    for left in reversed(range(_TRIES)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (RuntimeError, OSError) as error:
            # The head starts a process for each client, which sometimes dies as it starts: see ray.util.client.
            if left and isinstance(error, ConnectionError) and "Initialization failure" in str(error):
                continue
            if "ersion" in str(error):  # RuntimeError: Version mismatch: ..., or Python minor versions differ ...
                raise ClusterError(f"--address {address}: cannot be used ({one_line(error)})") from None
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ClusterError(
                f"--address {address}: cannot be reached ({lines[-1].strip()}); is the head up?"
            ) from None
        except (ImportError, ValueError) as error:
            raise ClusterError(f"--address {address}: cannot be used ({one_line(error)})") from None
        return


class RayFolder:
    """A results folder that an actor reads.

    ``actor``: the handle of a remote ``LocalFolder``. ``ClusterError`` where the cluster is lost.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def listing(self) -> list[FileEntry]:
        """Every file, sorted by path. ``StoreError`` where the folder holds no study."""
        entries: list[FileEntry] = self._result(self._actor.listing.remote())
        return entries

    def read(self, path: str, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of a file, from ``offset``; no bytes where the file is gone."""
        part: bytes = self._result(self._actor.read.remote(path, offset, size))
        return part

    @staticmethod
    def _result(call: Any) -> Any:
        import ray

        try:
            return ray.get(call)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, StoreError):
                raise error.cause from None
            raise ClusterError(f"fetch: {one_line(error.cause)}") from None
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise ClusterError(f"fetch: the cluster was lost ({one_line(error)})") from None

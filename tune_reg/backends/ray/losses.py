"""Nodes and processes that are lost: a line of ours for each, in place of Ray's pages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import ray
from ray.exceptions import RayActorError
from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from tune_reg.backends.ray.not_pickled import NotPickled

#: Seconds between two looks at the nodes.
_INTERVAL_S: Final = 2.0
#: Seconds after which a process that died is told, where its node is not found to be lost.
_PATIENCE_S: Final = 30.0
#: How Ray's own messages begin that a node is lost. They go on with the end of its log, line by line.
_OF_LOST_NODES: Final = ("Raylet is terminated.", "The node with node id")


class LossWatch(NotPickled, Callback):
    """Notes each node that is lost, and each process that dies where none is.

    ``note``: is given the lines. ``nodes``: the nodes that Ray knows, alive or not, as ``ray.nodes`` has them.
    """

    def __init__(
        self,
        note: Callable[[str], None],
        *,
        nodes: Callable[[], list[Mapping[str, Any]]] = ray.nodes,  # type: ignore[no-untyped-call]
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._note, self._nodes, self._clock = note, nodes, clock
        self._alive: dict[str, str] = {}  # names of nodes by their identifiers
        self._died: list[tuple[float, str]] = []  # processes that died, and whose runs go on
        self._looked = float("-inf")

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Look at the nodes, every two seconds."""
        del iteration, trials, info
        now = self._clock()
        if now - self._looked < _INTERVAL_S:
            return
        self._looked = now
        nodes = self._nodes()
        lost = [
            self._alive.pop(node["NodeID"]) for node in nodes if not node["Alive"] and node["NodeID"] in self._alive
        ]
        self._alive |= {
            node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            for node in nodes
            if node["Alive"]
        }
        for name in lost:
            self._note(f"node {name}: is lost; its trials go on elsewhere, from their newest checkpoints")
            self._died.clear()
        while self._died and now - self._died[0][0] >= _PATIENCE_S:
            _, key = self._died.pop(0)
            self._note(f"{key}: its process died; it goes on in another one, from its newest checkpoint")

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Note down that a process died, as its node may be lost, which Ray hears of later."""
        del iteration, trials, info
        error = trial.get_pickled_error()
        if isinstance(error, RayActorError) and not error.preempted:
            self._died.append((self._clock(), trial.config["key"]))


@contextmanager
def own_words() -> Iterator[None]:
    """Hold back, in this process, what Ray and Ray Tune print of lost nodes and of processes that died with them.

    Other messages of Ray's, and exceptions that a run has raised, are printed as ever.
    """
    from ray._private import worker

    logger = logging.getLogger("ray.tune.execution.tune_controller")
    printed = worker.print_to_stdstream

    def print_others(data: dict[str, Any], ignore_prefix: bool) -> None:
        if not str(data["lines"][0] if data["lines"] else "").startswith(_OF_LOST_NODES):
            printed(data, ignore_prefix)

    worker.print_to_stdstream = print_others
    logger.addFilter(_is_no_lost_process)
    try:
        yield
    finally:
        worker.print_to_stdstream = printed
        logger.removeFilter(_is_no_lost_process)


def _is_no_lost_process(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], RayActorError))

"""Nodes and processes that are lost: a line of ours for each, in place of Ray's pages."""

from __future__ import annotations

import logging
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
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
#: Ray's numbers for the ends of nodes that were told to go: by whoever started them, or drained.
_AS_TOLD: Final = (1, 3, 4)
#: How Ray's own messages begin that a node is lost. They go on with the end of its log, line by line.
_OF_LOST_NODES: Final = ("Raylet is terminated.", "The node with node id")


def _answers(node: Mapping[str, Any]) -> bool:
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=2.0).close()
    except OSError:
        return False
    return True


class LossWatch(NotPickled, Callback):
    """Notes each node that is lost, and each process that dies where none is. Nodes that were told to go are not lost.

    ``note``: is given the lines. ``nodes``: the nodes that Ray knows, alive or not, as ``ray.nodes`` has them.
    ``answers``: whether a node's raylet can be reached.
    """

    def __init__(
        self,
        note: Callable[[str], None],
        *,
        nodes: Callable[[], list[Mapping[str, Any]]] = ray.nodes,
        answers: Callable[[Mapping[str, Any]], bool] = _answers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._note, self._nodes, self._answers, self._clock = note, nodes, answers, clock
        self._up: set[str] = set()  # identifiers of nodes
        self._gone: set[str] = set()
        self._died: list[tuple[float, str]] = []  # processes that died, and whose runs go on
        self._looked = float("-inf")

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Look at the nodes, every two seconds."""
        del iteration, trials, info
        if self._clock() - self._looked >= _INTERVAL_S:
            self._look(_PATIENCE_S)

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Note down that a process died: its node may be lost."""
        del iteration, trials, info
        # ``get_pickled_error`` reads a copy of this file that Tune makes minutes later.
        error = pickle.loads(Path(trial.pickled_error_file).read_bytes()) if trial.pickled_error_file else None
        if isinstance(error, RayActorError) and not error.preempted:
            self._died.append((self._clock(), trial.config["key"]))

    def on_experiment_end(self, trials: list[TuneTrial], **info: Any) -> None:
        """Say what was left to be said."""
        del trials, info
        self._look(patience_s=0.0)

    def _look(self, patience_s: float) -> None:
        self._looked = self._clock()
        for node in self._nodes():
            identifier = node["NodeID"]
            if identifier in self._gone:
                continue
            # Ray takes up to half a minute to find out that a node is lost; its processes are gone at once.
            if node["Alive"] and (not self._died or self._answers(node)):
                self._up.add(identifier)
            elif node.get("DeathReason") in _AS_TOLD:
                self._gone.add(identifier)
            elif identifier in self._up:
                self._gone.add(identifier)
                self._died.clear()
                name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                self._note(f"node {name}: is lost; its trials go on elsewhere, from their newest checkpoints")
        while self._died and self._looked - self._died[0][0] >= patience_s:
            _, key = self._died.pop(0)
            self._note(f"{key}: its process died; it goes on in another one, from its newest checkpoint")


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

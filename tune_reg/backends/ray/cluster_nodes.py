"""The nodes of a cluster: each is looked at once before work is given to it, and one that cannot do it is left out."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tune_reg.backends.ray.node_check import NodeAnswer, NodeCheck, clock_note, look, read_mark, versions
from tune_reg.errors import ClusterError, one_line
from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.storage.remote_path import RemotePath

#: Seconds that a node may take to answer: it starts a process, imports torch and reads the data set.
_PATIENCE_S: Final = 120.0
#: Ray's label of each node, by which the nodes that are left out are named to it.
_LABEL: Final = "ray.io/node-id"


class Node(NamedTuple):
    """A node that is up. ``name``: its host name and address. ``has``: its resources, by Ray's names."""

    id: str
    name: str
    has: Mapping[str, float]


class ClusterNodes:
    """The nodes that are up, less those that were found unable to do the work of a study.

    ``check``: what a node must have. ``note``: is given a line for each node that is
    left out. Files that are written into the results folder for this are removed when the answers are there.
    """

    def __init__(self, check: NodeCheck, directory: StoragePath, note: Callable[[str], None]) -> None:
        self._check, self._directory, self._note = check, directory, note
        self._left_out: dict[str, str] = {}  # reasons by the node's identifier
        self._seen: set[str] = set()
        self._asked: dict[Any, tuple[Node, float]] = {}  # what nodes are to answer, and since when

    def up(self) -> list[dict[str, float]]:
        """What each node has that work can be given to, now. Nodes that have joined are asked what they are."""
        nodes = _nodes()
        self._ask_new(nodes)
        self._take_answers(wait_s=0.0)
        return [dict(node.has) for node in nodes if node.id not in self._left_out]

    def look_at_all(self) -> None:
        """Look at every node that is up. ``ClusterError`` where none can do the work, or none shares the folder.

        A cluster of one node, which is the driver's own, is not looked at where the results go to a folder. Into an
        object store its processes may have no way: they have the environment that Ray was started in.
        """
        nodes = _nodes()
        here = _own_node()
        is_remote = isinstance(self._directory, RemotePath)
        if all(node.id == here for node in nodes) and not is_remote:
            self._seen |= {node.id for node in nodes}
            return
        self._ask_new(nodes)
        answers = self._take_answers(wait_s=_PATIENCE_S)
        others = [node for node in nodes if node.id in answers and node.id != here]
        if others and not is_remote and all(answers[node.id].is_of_folder for node in others):
            raise ClusterError(
                f"node {others[0].name}: {answers[others[0].id].fault}, and neither does any other; give a folder that "
                "all nodes share, or s3://..."
            )
        if nodes and all(node.id in self._left_out for node in nodes):
            raise ClusterError(f"node {nodes[0].name}: {self._left_out[nodes[0].id]}; no node is left to work on")

    def find_fault(self) -> bool:
        """After a process has failed: whether a node that joined meanwhile is left out now, which may be the reason."""
        before = len(self._left_out)
        self._ask_new(_nodes())
        self._take_answers(wait_s=_PATIENCE_S)
        return len(self._left_out) > before

    def selector(self) -> dict[str, str]:
        """The labels by which Ray places a run on none of the nodes that are left out; empty where none is."""
        return {_LABEL: f"!in({','.join(sorted(self._left_out))})"} if self._left_out else {}

    def _ask_new(self, nodes: Sequence[Node]) -> None:
        new = [node for node in nodes if node.id not in self._seen]
        self._seen |= {node.id for node in new}
        if not new:
            return
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        write_whole(self._directory / self._check.mark_name, self._check.mark.encode())
        for node in new:
            there = NodeAffinitySchedulingStrategy(node.id, soft=False)
            task = ray.remote(num_cpus=0, max_retries=0)(look).options(scheduling_strategy=there)
            self._asked[task.remote(self._check, node.id)] = (node, time.time())

    def _take_answers(self, wait_s: float) -> dict[str, NodeAnswer]:
        """The answers that have come, by node; a node that does not answer in time is left out."""
        if not self._asked:
            return {}
        import ray

        ready, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=wait_s)
        now = time.time()
        late = [asked for asked, (_, since) in self._asked.items() if now - since >= _PATIENCE_S and asked not in ready]
        answers = {}
        for asked in [*ready, *late]:
            node, since = self._asked.pop(asked)
            answer = self._answer(asked, node) if asked in ready else _silent()
            answers[node.id] = answer
            clock = clock_note(answer, since, now)
            for text in (*answer.notes, *([clock] if clock else [])):
                self._note(f"node {node.name}: {text}")
            if answer.fault is not None:
                self._left_out[node.id] = answer.fault
                self._note(f"node {node.name}: left out: {answer.fault}")
        if not self._asked:
            (self._directory / self._check.mark_name).unlink(missing_ok=True)
        return answers

    def _answer(self, asked: Any, node: Node) -> NodeAnswer:
        import ray

        try:
            answer: NodeAnswer = ray.get(asked)
        except ray.exceptions.RayTaskError as error:
            return NodeAnswer(f"tune-reg cannot be used there ({_last_line(error)}); install it as it is here")
        except ray.exceptions.RayError as error:
            return NodeAnswer(f"it cannot start a process ({one_line(error)})")
        if answer.has_written:
            written = self._check.answer_path(node.id)
            if read_mark(written, self._check.mark) is not None:
                fault = f"what it writes into {self._check.directory}, the results folder, is not seen by the driver"
                return NodeAnswer(fault, is_of_folder=True)
            written.unlink(missing_ok=True)
        return answer


def check_of(directory: StoragePath, dataset: str, data_root: str | None, data_md5: str | None) -> NodeCheck:
    """What each node must have for a study whose results go to ``directory``."""
    folder = str(directory) if isinstance(directory, RemotePath) else str(directory.absolute())
    mark_name = f".node-check.{os.getpid()}"  # the storage removes what a killed process leaves of it
    return NodeCheck(folder, mark_name, secrets.token_hex(8), versions(), dataset, data_root, data_md5)


def _nodes() -> list[Node]:
    """The nodes that are up, and not about to go."""
    import ray

    from tune_reg.backends.ray.preemption import draining_nodes

    leaving = draining_nodes()
    nodes: Sequence[Mapping[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [
        Node(node["NodeID"], f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})", node["Resources"])
        for node in nodes
        if node["Alive"] and node["NodeID"] not in leaving
    ]


def _own_node() -> str:
    import ray

    node_id: str = ray.get_runtime_context().get_node_id()
    return node_id


def _silent() -> NodeAnswer:
    return NodeAnswer(f"it did not answer within {_PATIENCE_S:.0f} s")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

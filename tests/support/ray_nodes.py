"""A Ray of several nodes on this machine, in a process of its own, which loses nodes when it is told to.

``python ray_nodes.py HEAD_CPUS NODES``: a head node with so many processors and further nodes with one each. It writes
the address of the head node and the process ids of the other nodes' raylets, and then answers each line of its input:
``drain PID``, ``kill PID``, ``kill head``, or ``add PATH``, which adds a node whose processes begin with the
``sitecustomize`` module in a folder. It ends when its input does.
"""

import os
import subprocess
import sys
import time
from pathlib import Path


class RayNodes:
    """The process, from outside."""

    def __init__(self, *, head_cpus, nodes):
        command = [sys.executable, str(Path(__file__)), str(head_cpus), str(nodes)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address, *pids = self._process.stdout.readline().split()
        self.raylets = [int(pid) for pid in pids]

    def tell(self, words):
        """Have a node drained, killed or added."""
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"done: {words}\n"

    def close(self):
        """End all nodes."""
        self._process.communicate("", timeout=60)


def _main() -> None:
    from ray._raylet import GcsClient
    from ray.cluster_utils import Cluster
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    head_cpus, count = map(int, sys.argv[1:])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": head_cpus, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(count)]
    by_pid = {str(node.all_processes["raylet"][0].process.pid): node for node in nodes}
    print(cluster.address, *by_pid, flush=True)
    for line in sys.stdin:
        action, which = line.split()
        if action == "kill":
            cluster.remove_node(cluster.head_node if which == "head" else by_pid[which], allow_graceful=False)
        elif action == "add":
            cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": which})
        else:
            reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
            deadline = int(1000 * (time.time() + 600))
            client = GcsClient(address=cluster.address)
            accepted, why = client.drain_node(by_pid[which].node_id, reason, "a test", deadline)
            assert accepted, why
        print(f"done: {line}", end="", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    _main()

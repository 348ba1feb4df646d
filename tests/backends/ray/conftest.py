import pytest
from ray_nodes import RayNodes


@pytest.fixture
def start_nodes():
    """Start a Ray of several nodes on this machine; it ends with the test."""
    started = []

    def start(*, head_cpus=0, nodes):
        started.append(RayNodes(head_cpus=head_cpus, nodes=nodes))
        return started[-1]

    yield start
    for cluster in started:
        cluster.close()

"""The nodes that a study asks a cluster for."""

import pytest

from tune_reg.cluster import Nodes
from tune_reg.errors import ClusterError


def test_nodes_that_cannot_hold_a_trial_are_refused(study_of):
    with pytest.raises(ClusterError, match=r"--gpus-per-node: must be >= resources.gpus .* but got 0"):
        Nodes().refuse_too_small(study_of(resources={"gpus": 0.5}))
    with pytest.raises(ClusterError, match="--nodes: must be >= 1, but got 0"):
        Nodes(count=0)
    Nodes(gpus=1).refuse_too_small(study_of(resources={"gpus": 0.5}))

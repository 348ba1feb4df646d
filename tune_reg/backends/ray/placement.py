"""Where the runs of a study may lie: on every node of the cluster but those that are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray import tune
from ray.tune.experiment import Trial as TuneTrial

from tune_reg.backends.ray.cluster_nodes import ClusterNodes
from tune_reg.backends.ray.not_pickled import NotPickled


class Placement(NotPickled):
    """Tells Tune where to start the process of each trial.

    ``needed``: what one takes of a node, by Ray's names.
    """

    def __init__(self, nodes: ClusterNodes, needed: Mapping[str, float]) -> None:
        self._nodes, self._needed = nodes, dict(needed)

    def place(self, trial: TuneTrial) -> None:
        """Say where the next process of a trial may be started."""
        selector = self._nodes.selector()
        keywords: dict[str, Any] = {"bundle_label_selector": [selector]} if selector else {}
        trial.placement_group_factory = tune.PlacementGroupFactory(  # type: ignore[assignment]
            [self._needed], **keywords
        )

    def forgive(self, trial: TuneTrial) -> None:
        """Count no failure of a trial whose process failed when a node had just joined that is left out now."""
        if self._nodes.find_fault():
            trial.run_metadata.num_failures -= 1

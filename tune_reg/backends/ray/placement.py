"""Where the runs of a study may lie: on every node of the cluster but those that are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ray import tune
from ray.tune.experiment import Trial as TuneTrial

from tune_reg.backends.ray.cluster_nodes import ClusterNodes

#: Where a Tune config says what a run takes of a node, and by which labels its node is chosen.
PLACE: Final = "place"


class Placement:
    """Says where the process of each run may be started.

    ``needed``: what one takes of a node, by Ray's names.
    """

    def __init__(self, nodes: ClusterNodes, needed: Mapping[str, float]) -> None:
        self._nodes, self._needed = nodes, dict(needed)

    def place(self) -> dict[str, Any]:
        """Where a run may lie now, for its config: what ``factory`` reads."""
        return {PLACE: (self._needed, self._nodes.selector())}

    def move(self, trial: TuneTrial) -> None:
        """Let a run go on elsewhere, and count no failure, where a node that has just joined is the likely reason."""
        if self._nodes.find_fault():
            trial.run_metadata.num_failures -= 1
            trial.placement_group_factory = factory(self.place())  # type: ignore[assignment]


def factory(config: Mapping[str, Any]) -> tune.PlacementGroupFactory | None:
    """What Tune is to reserve for a run with this config; None for Tune's default where the config does not say."""
    if PLACE not in config:
        return None
    needed, selector = config[PLACE]
    keywords: dict[str, Any] = {"bundle_label_selector": [selector]} if selector else {}
    return tune.PlacementGroupFactory([needed], **keywords)

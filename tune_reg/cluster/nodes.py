"""The nodes that a study asks a cluster for."""

from __future__ import annotations

from dataclasses import dataclass

from tune_reg.errors import ClusterError
from tune_reg.study import Study


@dataclass(frozen=True)
class Nodes:
    """How many nodes are asked for, and what each of them has; all are alike.

    ``cpus``, ``gpus``: whole devices. ``memory_gb``: GB. ``ClusterError`` names the option that is out of range.
    """

    count: int = 1
    cpus: int = 4
    gpus: int = 0
    memory_gb: int = 16

    def __post_init__(self) -> None:
        rules = {"--nodes": (self.count, 1), "--cpus-per-node": (self.cpus, 1)}
        rules |= {"--gpus-per-node": (self.gpus, 0), "--memory-gb-per-node": (self.memory_gb, 1)}
        for option, (value, low) in rules.items():
            if value < low:
                raise ClusterError(f"{option}: must be >= {low}, but got {value}")

    def refuse_too_small(self, study: Study) -> None:
        """Raise ``ClusterError`` where a trial of the study does not fit on one node."""
        needs = study.resources
        for key, needed, given, option in (
            ("cpus", needs.cpus, self.cpus, "--cpus-per-node"),
            ("gpus", needs.least_gpus, self.gpus, "--gpus-per-node"),
            ("memory_gb", needs.memory_gb, self.memory_gb, "--memory-gb-per-node"),
        ):
            if needed > given:
                raise ClusterError(f"{option}: must be >= resources.{key} of the study ({needed:g}), but got {given}")

"""The device that Ray Tune gives a trial, and the trial's share of that device."""

from __future__ import annotations

import platform
from typing import Any

import torch

from tune_reg.errors import ClusterError


def device_of(resources: Any) -> tuple[torch.device, float]:
    """Where a trial with these Tune resources trains, one thread a CPU, and the share of the device that it has.

    ``ClusterError`` where Ray gives it a GPU and torch sees none.
    """
    required = resources.required_resources if resources is not None else {}
    torch.set_num_threads(max(1, int(required.get("CPU", 1))))
    gpus = required.get("GPU", 0)
    refuse_unseen(gpus)
    return torch.device("cuda" if gpus > 0 else "cpu"), min(1.0, gpus or 1.0)


def refuse_unseen(gpus: float) -> None:
    """``ClusterError`` where Ray counts GPUs on this machine, and torch sees none."""
    if gpus > 0 and not torch.cuda.is_available():
        raise ClusterError(
            f"machine {platform.node()}: Ray counts a GPU there, but torch {torch.__version__} sees none; install a "
            "torch that can use it, or say gpus = 0 under [resources]"
        )


def counted_by_ray() -> float:
    """The GPUs that the Ray which is running counts."""
    import ray

    gpus: float = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    return gpus

"""The device that Ray Tune gives a trial, and the trial's share of that device."""

from __future__ import annotations

from typing import Any

import torch


def device_of(resources: Any) -> tuple[torch.device, float]:
    """Where a trial with these Tune resources trains, one thread a CPU, and the share of the device that it has."""
    required = resources.required_resources if resources is not None else {}
    torch.set_num_threads(max(1, int(required.get("CPU", 1))))
    gpus = required.get("GPU", 0)
    return torch.device("cuda" if gpus > 0 else "cpu"), min(1.0, gpus or 1.0)

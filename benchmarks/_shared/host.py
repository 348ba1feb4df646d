"""Where numbers were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch


def host(device: torch.device) -> dict[str, str | None]:
    """The device, the versions of Python and torch, and the commit; None for the commit where there is no checkout."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"{os.cpu_count()} x {platform.machine()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

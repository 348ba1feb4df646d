"""What works on this machine."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tune_reg.backends.ray.connection import ray_running
from tune_reg.backends.ray.device import counted_by_ray, refuse_unseen
from tune_reg.data import DATASETS, at_hand
from tune_reg.data.root import cache, given_root
from tune_reg.errors import ClusterError, one_line


@dataclass(frozen=True)
class Finding:
    """One thing that was tried. ``ok`` is None for a mere fact."""

    what: str
    ok: bool | None
    detail: str


def examine() -> list[Finding]:
    """Try what a study needs: Python, packages, processors, disk, data sets at hand."""
    return [
        Finding("Python", sys.version_info >= (3, 11), platform.python_version()),
        *[_package(name) for name in ("torch", "torchvision", "ray", "optuna", "pyarrow", "foolbox", "matplotlib")],
        Finding("processors", None, f"{os.cpu_count()} cores"),
        _gpu(),
        *_lanes(),
        *_ray(),
        Finding("disk here", None, f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB free"),
        Finding("data root", None, f"{given_root(None) or cache()} (set by --data or TUNE_REG_DATA)"),
        *[_dataset(name) for name in DATASETS],
    ]


def _package(name: str) -> Finding:
    try:
        importlib.import_module(name)
    except Exception as error:
        return Finding(name, False, f"cannot be imported: {str(error).splitlines()[0]}")
    return Finding(name, True, importlib.metadata.version(name))


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", None, "none; trials run on processors")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding("GPU", True, f"{', '.join(names)}; studies train there, unless they say gpus = 0 under [resources]")


def _lanes() -> list[Finding]:
    from tune_reg.training.lanes.choice import remembered, remembered_lanes

    file = remembered_lanes()
    if not file.exists():
        return []
    return [Finding("lanes", None, f"measured for {len(remembered(file))} kinds of runs, in {file}; removed, anew")]


def _ray() -> list[Finding]:
    begin = time.monotonic()
    try:
        with ray_running(None):
            gpus = counted_by_ray()
    except Exception as error:
        return [Finding("Ray starts", False, one_line(error))]
    findings = [Finding("Ray starts", True, f"{time.monotonic() - begin:.0f} s, and stops")]
    try:
        refuse_unseen(gpus)
    except ClusterError as error:
        findings.append(Finding("Ray's GPUs", False, str(error)))
    return findings


def _dataset(name: str) -> Finding:
    folder = at_hand(name)
    if folder is None:
        return Finding(f"data set {name}", None, "not here; downloaded when first used, where there is a network")
    return Finding(f"data set {name}", True, str(folder))

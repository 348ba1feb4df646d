"""The folder of a training loop's own checkpoints, as part of the checkpoint of its run.

The files are kept together with the epochs that were recorded, in one file that is whole or absent: a run that goes on,
after whatever has killed it, finds the folder as it was at the last recorded epoch.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tune_reg.storage.paths import StoragePath

_NAME = "folder"


def working_folder(checkpoints: StoragePath) -> Path:
    """An empty folder of this machine for the loop of the run whose checkpoints lie in ``checkpoints``."""
    if not isinstance(checkpoints, Path):
        return Path(tempfile.mkdtemp(prefix="tune-reg-run-"))
    folder = checkpoints / _NAME
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    folder.mkdir(parents=True)
    return folder


def packed(folder: Path) -> dict[str, Tensor]:
    """The files below a folder as tensors of bytes, by their path in it.

    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "step").write_text("7")
    ...     packed(Path(name))
    {'step': tensor([55], dtype=torch.uint8)}
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): torch.from_numpy(np.fromfile(path, np.uint8)) for path in files}


def unpack(files: Mapping[str, Tensor], folder: Path) -> None:
    """Write the files of ``packed`` into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content.numpy().tofile(path)

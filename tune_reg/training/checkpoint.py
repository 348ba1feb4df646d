"""Checkpoints of one run: written under a temporary name and renamed, and checked when they are read.

A file is named ``epoch-000012-<digest>.pt`` with the beginning of the SHA-256 of its bytes, so that its name tells
whether it is whole; plain ``torch.load`` reads it. Two are kept, so that the older one serves where the newest is
broken. The checkpoint of an interrupted epoch is named ``epoch-000012-step-000345-<digest>.pt``, after the epochs and
steps that are done, and is kept until the next checkpoint.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any, Final

import torch

from tune_reg.storage.paths import StoragePath, remove_folder, write_whole

_NAME: Final = re.compile(r"epoch-(\d+)(?:-step-(\d+))?-([0-9a-f]{16})\.pt")
_KEPT: Final = 2


def save(directory: StoragePath, epoch: int, state: dict[str, Any], *, step: int = 0) -> StoragePath:
    """Write ``state`` (tensors and plain values) as the checkpoint of ``epoch``, and delete all but the newest two.

    ``step``: the steps that are done of the next epoch, where that one was interrupted.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    directory.mkdir(parents=True, exist_ok=True)
    steps_done = f"-step-{step:06d}" if step else ""
    path = directory / f"epoch-{epoch:06d}{steps_done}-{_digest(data)}.pt"
    write_whole(path, data)
    checkpoints = _newest_first(directory)
    whole = [one for one in checkpoints if not _is_interrupted(one)]
    for old in [*whole[_KEPT:], *(one for one in checkpoints if _is_interrupted(one) and one.name != path.name)]:
        old.unlink(missing_ok=True)
    return path


def load_newest(directory: StoragePath, *, whole_epochs: bool = False) -> dict[str, Any] | None:
    """The state of the newest checkpoint whose file is not broken, or None where there is none.

    ``whole_epochs``: checkpoints of interrupted epochs are passed over as well.
    """
    for path in _newest_first(directory):
        if whole_epochs and _is_interrupted(path):
            continue
        data = path.read_bytes()
        match = _NAME.fullmatch(path.name)
        if match and match[3] == _digest(data):
            state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
            return state
    return None


def remove(directory: StoragePath) -> None:
    """Delete the checkpoints of a run."""
    remove_folder(directory)


def _newest_first(directory: StoragePath) -> list[StoragePath]:
    named = (path for path in directory.glob("epoch-*.pt") if _NAME.fullmatch(path.name))
    return sorted((path for path in named if not (isinstance(path, Path) and path.is_dir())), reverse=True)


def _is_interrupted(path: StoragePath) -> bool:
    """Whether a checkpoint is of an interrupted epoch."""
    return "-step-" in path.name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]

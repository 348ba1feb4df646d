"""Checkpoints of one run: written beside and renamed, checked when read, the older one used if the newest is broken.

A file is named ``epoch-000012-<digest>.pt`` with the beginning of the SHA-256 of its bytes, so that it says itself
whether it is whole, and plain ``torch.load`` reads it. Two are kept. One of an epoch that was left is named
``epoch-000012-step-000345-<digest>.pt``, the epochs and steps that were done, and is kept until the next one.
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import Any, Final

import torch

from tune_reg.storage.paths import StoragePath, remove_folder, write_whole

_NAME: Final = re.compile(r"epoch-(\d+)(?:-step-(\d+))?-([0-9a-f]{16})\.pt")
_KEPT: Final = 2


def save(directory: StoragePath, epoch: int, state: dict[str, Any], *, step: int = 0) -> StoragePath:
    """Write ``state`` (tensors and plain values) as the checkpoint of ``epoch``; older ones beyond two go.

    ``step``: that of the epoch after ``epoch`` which was left there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    directory.mkdir(parents=True, exist_ok=True)
    left = f"-step-{step:06d}" if step else ""
    path = directory / f"epoch-{epoch:06d}{left}-{_digest(data)}.pt"
    write_whole(path, data)
    there = _newest_first(directory)
    whole = [place for place in there if not _left(place)]
    for old in [*whole[_KEPT:], *(place for place in there if _left(place) and place.name != path.name)]:
        old.unlink(missing_ok=True)
    return path


def load_newest(directory: StoragePath, *, whole_epochs: bool = False) -> dict[str, Any] | None:
    """The state of the newest checkpoint that is whole, or None. Broken files are passed over.

    ``whole_epochs``: so are those of an epoch that was left.
    """
    for path in _newest_first(directory):
        if whole_epochs and _left(path):
            continue
        data = path.read_bytes()
        match = _NAME.fullmatch(path.name)
        if match and match[3] == _digest(data):
            state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
            return state
    return None


def remove(directory: StoragePath) -> None:
    """Drop the checkpoints of a run that needs them no more."""
    remove_folder(directory)


def _newest_first(directory: StoragePath) -> list[StoragePath]:
    return sorted((path for path in directory.glob("epoch-*.pt") if _NAME.fullmatch(path.name)), reverse=True)


def _left(path: StoragePath) -> bool:
    """Whether it is of an epoch that was left."""
    return "-step-" in path.name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]

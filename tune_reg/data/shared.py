"""One decoded copy of a data set a machine, which its processes share.

The published files are decoded and their md5 sums checked by the first process that needs them. It keeps the arrays in
the user's cache folder; every process maps them from there, so that they are in memory once, however many train.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from tune_reg.data.dataset import Dataset
from tune_reg.data.root import cache

_PARTS: Final = ("train_images", "train_labels", "test_images", "test_labels")
_SOURCE: Final = "source.json"


def load_shared(name: str, find: Callable[[], Path | None], decode: Callable[[], Dataset]) -> Dataset:
    """The data set of ``decode``, mapped from this machine's copy.

    ``find``: the folder that its files lie in, or None. The copy is made anew where a file there has another size or
    time than when it was made. Tensors can be written, and then change in this process alone. Where no copy can be
    kept, the arrays are this process's own.
    """
    folder = find()
    place = _place(name, folder)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{place}.lock")
        lock.acquire()
    except OSError:
        return decode()
    try:
        if folder is None or _read(place) != _source(folder):
            dataset = decode()
            folder = find()
            if folder is None:
                return dataset
            place = _place(name, folder)
            try:
                _write(place, dataset, _source(folder))
            except OSError:
                return dataset
        about = json.loads((place / _SOURCE).read_text(encoding="utf-8"))
        return Dataset(name, **{part: _mapped(place / f"{part}.npy") for part in _PARTS}, classes=about["classes"])
    finally:
        lock.release()


def _place(name: str, folder: Path | None) -> Path:
    digest = hashlib.md5(str(folder).encode(), usedforsecurity=False).hexdigest()[:12]
    return cache() / "arrays" / f"{name}-{digest}"


def _source(folder: Path) -> list[list[Any]]:
    """The names, sizes and times of the files in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _read(place: Path) -> list[list[Any]] | None:
    """The source that the copy was made of; None where there is no copy."""
    try:
        source: list[list[Any]] = json.loads((place / _SOURCE).read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError):
        return None
    return source


def _write(place: Path, dataset: Dataset, source: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as temporary:
        folder = Path(temporary) / "arrays"
        folder.mkdir()
        for part in _PARTS:
            np.save(folder / f"{part}.npy", getattr(dataset, part).numpy())
        about = json.dumps({"source": source, "classes": dataset.classes})
        (folder / _SOURCE).write_text(about, encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        folder.replace(place)


def _mapped(path: Path) -> Tensor:
    # Copy on write: what a process changes is its own.
    return torch.from_numpy(np.load(path, mmap_mode="c"))

"""One decoded copy of a data set on each machine, which all processes share.

The first process that needs a data set decodes the published files and checks their md5 sums. It writes the arrays
into the user's cache folder; every process maps them from there, so that they are in memory once, however many train.
"""

from __future__ import annotations

import hashlib
import json
import re
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


def load_shared(
    name: str,
    find: Callable[[], Path | None],
    decode: Callable[[], Dataset],
    source: Callable[[Path], list[list[Any]]] | None = None,
) -> Dataset:
    """The data set of ``decode``, mapped from this machine's copy.

    ``find``: returns the folder of the published files, or None. ``source``: the names, sizes and times of the files of
    the folder; of those in it, but not below it, where not given. The copy is made anew where they have changed.
    Tensors can be written, and then change in this process alone.
    Where no copy can be written, the arrays are held by this process alone.
    """
    source = source or _source
    folder = find()
    copy = _copy_folder(name, folder)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{copy}.lock")
        lock.acquire()
    except OSError:
        return decode()
    try:
        if folder is None or _read(copy) != source(folder):
            dataset = decode()
            folder = find()
            if folder is None:
                return dataset
            copy = _copy_folder(name, folder)
            try:
                _write(copy, dataset, source(folder))
            except OSError:
                return dataset
        about = json.loads((copy / _SOURCE).read_text(encoding="utf-8"))
        parts = {part: _mapped(copy / f"{part}.npy") for part in _PARTS}
        return Dataset(name, **parts, classes=about["classes"], notes=tuple(about.get("notes", ())))
    finally:
        lock.release()


def _copy_folder(name: str, folder: Path | None) -> Path:
    """The folder of the copy of a data set whose published files lie in ``folder``."""
    digest = hashlib.md5(str(folder).encode(), usedforsecurity=False).hexdigest()[:12]
    return cache() / "arrays" / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[-40:]}-{digest}"


def _source(folder: Path) -> list[list[Any]]:
    """The names, sizes and times of the files in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _read(copy: Path) -> list[list[Any]] | None:
    """The ``_source`` of the files that a copy was made of; None where there is no copy."""
    try:
        source: list[list[Any]] = json.loads((copy / _SOURCE).read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError):
        return None
    return source


def _write(copy: Path, dataset: Dataset, source: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=f".{copy.name}.") as temporary:
        folder = Path(temporary) / "arrays"
        folder.mkdir()
        for part in _PARTS:
            np.save(folder / f"{part}.npy", getattr(dataset, part).numpy())
        about = json.dumps({"source": source, "classes": dataset.classes, "notes": dataset.notes})
        (folder / _SOURCE).write_text(about, encoding="utf-8")
        shutil.rmtree(copy, ignore_errors=True)
        folder.replace(copy)


def _mapped(path: Path) -> Tensor:
    # Copy on write: a process changes its own copy alone.
    return torch.from_numpy(np.load(path, mmap_mode="c"))

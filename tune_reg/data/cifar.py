"""CIFAR-10 and CIFAR-100 through torchvision's classes (Krizhevsky 2009), which check the md5 of every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_reg.data.dataset import Dataset
from tune_reg.data.files import all_present, check_files, download
from tune_reg.data.root import VARIABLE, download_target, search_folders
from tune_reg.errors import DataError


def load_cifar(classes: int, root: Path | None) -> Dataset:
    """CIFAR-10 or CIFAR-100 (fine labels) from ROOT/cifar-10-batches-py or ROOT/cifar-100-python.

    Where the files are missing, the official .tar.gz is unpacked if it lies in ROOT, else downloaded. Raises DataError.
    """
    name = f"cifar{classes}"
    source = _source(classes)
    base = str(source.base_folder)
    expected = _expected(source)
    home = find_cifar(classes, root)
    if home is None:
        home = download_target(root)
        download(
            name,
            home,
            expected,
            lambda stage: source(stage, download=True),
            archive=_archive(name, source, root),
            otherwise=f"give --data DIR (or {VARIABLE}) with DIR/{base} or DIR/{source.filename} in it",
        )
    try:
        train, test = source(home, train=True), source(home, train=False)
    except RuntimeError as error:
        check_files(name, home, expected)  # names the file
        raise DataError(f"{name}: {home / base} cannot be read ({error})") from error
    return Dataset(name, *_tensors(train), *_tensors(test), classes=classes)


def find_cifar(classes: int, root: Path | None) -> Path | None:
    """The folder that holds the unpacked files of CIFAR-10 or CIFAR-100, or None."""
    expected = _expected(_source(classes))
    return next((folder for folder in search_folders(root) if all_present(folder, expected)), None)


def _expected(source: Any) -> dict[str, str]:
    """The files of a torchvision class below the root, with their md5."""
    listed = [*source.train_list, *source.test_list, [source.meta["filename"], source.meta["md5"]]]
    return {f"{source.base_folder}/{file}": md5 for file, md5 in listed}


def _source(classes: int) -> Any:
    from torchvision import datasets

    return {10: datasets.CIFAR10, 100: datasets.CIFAR100}[classes]


def _archive(name: str, source: Any, root: Path | None) -> Path | None:
    """The path of the official .tar.gz, if the user has put it into a folder of data sets."""
    for folder in search_folders(root):
        path = folder / str(source.filename)
        if path.is_file():
            check_files(name, folder, {path.name: str(source.tgz_md5)})
            return path
    return None


def _tensors(part: Any) -> tuple[Tensor, Tensor]:
    # torchvision's [N, 32, 32, 3] is a view of planes: one copy puts the channels last in memory too.
    return torch.from_numpy(part.data).contiguous(), torch.tensor(part.targets, dtype=torch.int64)

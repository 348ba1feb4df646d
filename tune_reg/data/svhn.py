"""SVHN, cropped digits without the "extra" set, through torchvision's class (Netzer et al. 2011)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_reg.data.dataset import Dataset
from tune_reg.data.files import all_present, check_files, download
from tune_reg.data.root import VARIABLE, download_target, search_folders
from tune_reg.errors import DataError

NAME = "svhn"


def load_svhn(root: Path | None) -> Dataset:
    """SVHN from ROOT/train_32x32.mat and ROOT/test_32x32.mat; missing files are downloaded.

    torchvision checks their md5 and turns the label 10 of the digit 0 into 0. Raises DataError.
    """
    from torchvision.datasets import SVHN

    expected = _expected()
    home = find_svhn(root)
    if home is None:
        home = download_target(root)
        download(
            NAME,
            home,
            expected,
            lambda stage: [SVHN(stage, split=part, download=True) for part in ("train", "test")],
            otherwise=f"give --data DIR (or {VARIABLE}) with {' and '.join(f'DIR/{file}' for file in expected)}",
        )
    try:
        train, test = SVHN(home, split="train"), SVHN(home, split="test")
    except RuntimeError as error:
        check_files(NAME, home, expected)  # names the file
        raise DataError(f"{NAME}: {home} cannot be read ({error})") from error
    return Dataset(NAME, *_tensors(train), *_tensors(test), classes=10)


def find_svhn(root: Path | None) -> Path | None:
    """The folder that holds the files of SVHN, or None."""
    return next((folder for folder in search_folders(root) if all_present(folder, _expected())), None)


def _expected() -> dict[str, str]:
    """The files of SVHN below the root, with their md5."""
    from torchvision.datasets import SVHN

    return {str(SVHN.split_list[part][1]): str(SVHN.split_list[part][2]) for part in ("train", "test")}


def _tensors(part: Any) -> tuple[Tensor, Tensor]:
    # torchvision gives [N, C, H, W].
    return torch.from_numpy(part.data).permute(0, 2, 3, 1).contiguous(), torch.from_numpy(part.labels).long()

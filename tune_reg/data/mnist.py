"""MNIST and Fashion-MNIST: four IDX files, packed or not, in one of several layouts.

Sources: LeCun, Cortes, Burges (yann.lecun.com/exdb/mnist) and Xiao, Rasul, Vollgraf (arXiv 1708.07747).
torchvision does not check unpacked files; here their content is compared with the publishers' files.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from tune_reg.data.dataset import Dataset
from tune_reg.data.files import damaged, download, md5, written_whole
from tune_reg.data.root import VARIABLE, cache, download_target, search_folders
from tune_reg.errors import DataError


@dataclass(frozen=True)
class Family:
    """One data set in MNIST's format."""

    name: str
    torchvision_class: str
    """The class in torchvision, and the name of the folder in torchvision's layout."""
    md5: Mapping[str, str]
    """The md5 of each unpacked file. Packed files differ from copy to copy, since Debian packs them anew."""
    package: Path | None = None
    """The folder that Debian's package puts the files into."""
    hint: str = ""


TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"

# The md5 sums of the files inside the gz files that torchvision lists.
MNIST: Final = Family(
    name="mnist",
    torchvision_class="MNIST",
    md5={
        TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
        TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
        TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
        TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
    },
)
# The md5 sums of the files in Debian's dataset-fashion-mnist, which other projects list for the publisher's files.
FASHION_MNIST: Final = Family(
    name="fashion-mnist",
    torchvision_class="FashionMNIST",
    md5={
        TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
        TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
        TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
    },
    package=Path("/usr/share/datasets/fashion-mnist"),
    hint="`apt-get install dataset-fashion-mnist`, or ",
)
FAMILIES: Final = (MNIST, FASHION_MNIST)


def load_mnist(family: Family, root: Path | None) -> Dataset:
    """MNIST or Fashion-MNIST from its four files, which are found, checked and read, or else downloaded.

    The files are searched in torchvision's layout (ROOT/MNIST/raw), in ROOT/mnist and in ROOT itself, unpacked
    or as .gz, then in the cache and in Debian's package. Packed files are unpacked into the user's cache, never into
    another folder of the user. Raises DataError.
    """
    paths = find(family, root)
    if paths is None:
        target = download_target(root)
        layout = f"{family.torchvision_class}/raw"
        download(
            family.name,
            target,
            [f"{layout}/{file}" for file in family.md5],
            lambda stage: _torchvision(family, stage),
            otherwise=(
                f"{family.hint}give --data DIR (or {VARIABLE}) with DIR/{layout}/{TRAIN_IMAGES} or "
                f"{TRAIN_IMAGES}.gz and likewise {TRAIN_LABELS}, {TEST_IMAGES}, {TEST_LABELS}"
            ),
        )
        paths = {file: target / layout / file for file in family.md5}
    whole = {file: _unpacked(family, path, file) for file, path in paths.items()}
    return Dataset(
        family.name,
        _images(whole[TRAIN_IMAGES]),
        _labels(whole[TRAIN_LABELS]),
        _images(whole[TEST_IMAGES]),
        _labels(whole[TEST_LABELS]),
        classes=10,
    )


def find(family: Family, root: Path | None) -> dict[str, Path] | None:
    """The paths of the four files by name, unpacked or as .gz, in the first folder with all of them; or None."""
    for folder in search_folders(root):
        for subfolder in (folder / family.torchvision_class / "raw", folder / family.name):
            paths = _in_folder(family, subfolder)
            if paths:
                return paths
        # Both data sets have the same file names: files in the folder itself may be those of the other data set.
        paths = _in_folder(family, folder)
        if paths and not _belongs_to_another(family, paths):
            return paths
    return _in_folder(family, family.package) if family.package else None


def _in_folder(family: Family, folder: Path) -> dict[str, Path] | None:
    """The paths of the four files in a folder, or None where one is missing."""
    paths = {}
    for file in family.md5:
        for path in (folder / file, folder / f"{file}.gz"):
            if path.is_file():
                paths[file] = path
                break
    return paths if len(paths) == len(family.md5) else None


def _belongs_to_another(family: Family, paths: Mapping[str, Path]) -> bool:
    """Whether the files are those of another data set in the same format."""
    path = paths[TEST_LABELS]  # the smallest file
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error):
        return False
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return any(digest == other.md5[TEST_LABELS] for other in FAMILIES if other.name != family.name)


def _unpacked(family: Family, path: Path, file: str) -> Path:
    """The path of the unpacked file with the right content: the file itself, or made from a .gz in the cache."""
    published = family.md5[file]
    if path.suffix != ".gz":
        actual = md5(path)
        if actual != published:
            raise damaged(family.name, path, actual, published)
        return path
    target = cache() / family.torchvision_class / "raw" / file
    if not (target.is_file() and md5(target) == published):
        _unpack(family, path, target, published)
    return target


def _unpack(family: Family, packed: Path, target: Path, published: str) -> None:
    """Unpack a .gz to ``target``; DataError where its content has another md5 than ``published``."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with gzip.open(packed) as source, written_whole(target) as file:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != published:
                raise DataError(
                    f"{family.name}: {packed} is not the published file: the md5 of its unpacked content is "
                    f"{digest.hexdigest()}, it must be {published}; replace it by a whole copy"
                )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{family.name}: {packed} (md5 {md5(packed)}) cannot be unpacked ({error}); the md5 of its "
            f"content must be {published}; replace it by a whole copy"
        ) from error
    except OSError as error:
        raise DataError(
            f"{family.name}: {packed} cannot be unpacked to {target} ({error.strerror or error}); make room or "
            f"unpack the files yourself and give their folder by --data or {VARIABLE}"
        ) from error


def _torchvision(family: Family, folder: Path) -> None:
    from torchvision import datasets

    getattr(datasets, family.torchvision_class)(folder, download=True)


def _images(path: Path) -> Tensor:
    return _idx(path).unsqueeze(3)


def _labels(path: Path) -> Tensor:
    return _idx(path).long()


def _idx(path: Path) -> Tensor:
    """The bytes of an IDX file in their shape.

    An IDX file begins with two zeros, 8 for bytes, the number of axes and the length of each axis. It is read here,
    since importing torchvision costs every process a second.
    """
    content = path.read_bytes()
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())

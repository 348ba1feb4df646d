"""Images in folders, one folder a class: the data set ``folder:PATH``.

``PATH/train`` and ``PATH/test`` hold a folder for each class; without them ``PATH`` itself does, and a fifth of each
class is the test set. Images of several sizes are made squares of 64 pixels, or of SIZE as ``folder:PATH@SIZE`` says:
their shorter side is scaled to that size, and the middle of the longer one is cut out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from tune_reg.data.dataset import Dataset, from_arrays
from tune_reg.data.shared import load_shared
from tune_reg.errors import DataError, StudyError
from tune_reg.storage.paths import expanded

if TYPE_CHECKING:
    from PIL.Image import Image

_Read = TypeVar("_Read")

PREFIX: Final = "folder:"
#: Pixels of a side, where images differ in size and none is given.
_SIDE: Final = 64
_NAME: Final = re.compile(rf"{PREFIX}(?P<path>.+?)(@(?P<side>[1-9]\d{{0,4}}))?")


class _Split(NamedTuple):
    """The image files of one folder with a folder for each class."""

    classes: list[str]
    files: list[Path]
    labels: list[int]


def load_folder(name: str) -> Dataset:
    """The data set ``folder:PATH`` or ``folder:PATH@SIZE``; DataError where the folder is not as it must be."""
    path, side = parsed(name)
    return load_shared(name, lambda: path, partial(_decoded, name, path, side), _source)


def parsed(name: str) -> tuple[Path, int | None]:
    """The folder and the size in the name of a data set; StudyError where it names no folder.

    >>> parsed("folder:/@32")
    (PosixPath('/'), 32)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise StudyError(f"data set {name!r} must be folder:PATH or folder:PATH@SIZE")
    path = expanded(Path(match["path"])).absolute()
    if not path.is_dir():
        raise StudyError(f"data set {name!r}: {path} is no folder; give the one that holds a folder for each class")
    return path, int(match["side"]) if match["side"] else None


def _source(folder: Path) -> list[list[object]]:
    """The names, sizes and times of all files below a folder, by which a change of them is seen."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [[str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _decoded(name: str, path: Path, side: int | None) -> Dataset:
    has_split = (path / "train").is_dir()
    if has_split != (path / "test").is_dir():
        there, lacking = ("train", "test") if has_split else ("test", "train")
        raise DataError(f"{name}: {path} has a folder {there} but none called {lacking}; give both, or neither")
    train = _split(name, path / "train" if has_split else path)
    test = _split(name, path / "test") if has_split else None
    if test is not None and test.classes != train.classes:
        raise DataError(
            f"{name}: train and test must have the same classes, but have {_names(train.classes)} and "
            f"{_names(test.classes)}"
        )
    files = [*train.files, *(test.files if test is not None else [])]
    sizes, is_grey = _headers(name, files)
    if side is None and len(sizes) > 1:
        side = _SIDE
    pixels = _pixels(name, files, side, grey=is_grey)
    labels = torch.tensor([*train.labels, *(test.labels if test is not None else [])])
    n = len(train.files)
    arrays = [pixels, labels] if test is None else [pixels[:n], labels[:n], pixels[n:], labels[n:]]
    dataset = from_arrays(name, *arrays)
    note = f"{name}: {_sentence(sizes, pixels, is_grey=is_grey)}; classes in order: {_names(train.classes)}"
    split = [] if test is None else [f"{name}: {n:,} images of train, {len(test.files):,} of test"]
    notes = [note, *split, *(text.replace("test arrays", "folders train and test") for text in dataset.notes)]
    return Dataset(
        name,
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
        dataset.classes,
        tuple(notes),
    )


def _split(name: str, folder: Path) -> _Split:
    from torchvision.datasets import ImageFolder

    try:
        found = ImageFolder(str(folder))
    except FileNotFoundError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: {folder} must hold a folder of images for each class ({reason})") from None
    if len(found.classes) < 2:
        raise DataError(f"{name}: {folder} must hold at least 2 folders, one a class, but has {_names(found.classes)}")
    return _Split(found.classes, [Path(file) for file, _ in found.samples], [label for _, label in found.samples])


def _headers(name: str, files: list[Path]) -> tuple[Counter[tuple[int, int]], bool]:
    """How many images have which (width, height), and whether all of them are grey; pixels are not decoded."""
    sizes: Counter[tuple[int, int]] = Counter()
    is_grey = True
    for file in files:
        size, mode = _opened(name, file, lambda image: (image.size, image.mode))
        sizes[size] += 1
        is_grey = is_grey and mode in ("1", "L")
    return sizes, is_grey


def _pixels(name: str, files: list[Path], side: int | None, *, grey: bool) -> Tensor:
    """The images as uint8 [N, H, W, C]."""
    mode = "L" if grey else "RGB"
    first = _opened(name, files[0], lambda image: np.asarray(_sized(image.convert(mode), side)))
    pixels = np.empty((len(files), *first.shape[:2], 1 if grey else 3), np.uint8)
    for i, file in enumerate(files):
        image = _opened(name, file, lambda image: np.asarray(_sized(image.convert(mode), side)))
        pixels[i] = image.reshape(pixels.shape[1:])
    return torch.from_numpy(pixels)


def _opened(name: str, file: Path, read: Callable[[Image], _Read]) -> _Read:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return read(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{name}: {file} cannot be read as an image ({type(error).__name__}); remove it") from None


def _sized(image: Image, side: int | None) -> Image:
    """The image as it is, or a square of ``side`` pixels of its middle."""
    from torchvision.transforms.functional import center_crop, resize

    if side is None or image.size == (side, side):
        return image
    square: Image = center_crop(resize(image, side), [side, side])
    return square


def _sentence(sizes: Counter[tuple[int, int]], pixels: Tensor, *, is_grey: bool) -> str:
    """What the images are, and what they were made."""
    n, height, width, _ = pixels.shape
    kind = "grey" if is_grey else "colour"
    megabytes = pixels.numel() / 1e6
    made = f"{n:,} {kind} images of {width} x {height}, {megabytes:,.0f} MB in memory"
    if set(sizes) == {(width, height)}:
        return made
    widths, heights = zip(*sizes, strict=True)
    before = f"{min(widths)} x {min(heights)} to {max(widths)} x {max(heights)}"
    return f"{made}, resized from {before} (shorter side scaled, middle cut out; {PREFIX}PATH@SIZE sets the size)"


def _names(classes: list[str]) -> str:
    return ", ".join(classes[:10]) + (f" and {len(classes) - 10} more" if len(classes) > 10 else "")

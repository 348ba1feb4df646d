"""A data set in memory: four tensors, and what follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tune_reg.errors import DataError


@dataclass(frozen=True)
class DatasetInfo:
    """Name and sizes of a data set, which are known without files for the built-in data sets."""

    name: str
    n_train: int
    n_test: int
    image: tuple[int, int, int]
    """(channels, height, width) of the images."""
    classes: int


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory: images as uint8 [N, H, W, C] and labels as int64 [N], for training and for the test.

    Channels stand last, so that a gathered batch, viewed as [B, C, H, W], is in torch's ``channels_last`` format
    without a copy. Wrong shapes, dtypes and labels raise DataError. Two data sets are equal only when they are the
    same object; to compare their content, compare ``md5``.

    >>> images = torch.zeros(4, 2, 2, 1, dtype=torch.uint8)
    >>> labels = torch.tensor([0, 1, 0, 1])
    >>> data = Dataset("two", images, labels, images[:2], labels[:2], classes=2)
    >>> data.image, data.info().n_train
    ((1, 2, 2), 4)
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int

    def __post_init__(self) -> None:
        if isinstance(self.classes, bool) or not isinstance(self.classes, int) or self.classes < 2:
            raise DataError(f"{self.name}: classes must be a whole number of at least 2, got {self.classes!r}")
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            _check_images(self.name, f"{part}_images", images)
            _check_labels(self.name, f"{part}_labels", labels, len(images), self.classes)
        if self.test_images.shape[1:] != self.train_images.shape[1:]:
            raise DataError(
                f"{self.name}: test_images must have the image shape of train_images [H, W, C] = "
                f"{list(self.train_images.shape[1:])}, got {list(self.test_images.shape[1:])}"
            )

    @property
    def channels(self) -> int:
        """The number of channels."""
        return int(self.train_images.shape[3])

    @property
    def image_size(self) -> tuple[int, int]:
        """The (height, width) of the images."""
        return int(self.train_images.shape[1]), int(self.train_images.shape[2])

    @property
    def image(self) -> tuple[int, int, int]:
        """The (channels, height, width) of the images, as a model takes it."""
        return (self.channels, *self.image_size)

    def info(self) -> DatasetInfo:
        """The name and sizes of the data set, as ``describe`` gives them."""
        return DatasetInfo(self.name, len(self.train_images), len(self.test_images), self.image, self.classes)

    @cached_property
    def md5(self) -> str:
        """The md5 of the four arrays, their dtypes and shapes; the name is not part of it."""
        digest = hashlib.md5(usedforsecurity=False)
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    @property
    def mean(self) -> Tensor:
        """Mean of the training images per channel in units of [0, 1], float32 [C]."""
        return self._moments[0]

    @property
    def std(self) -> Tensor:
        """Population standard deviation of the training images per channel in units of [0, 1], float32 [C]."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        # Computed from the counts of the 256 grey values: exact in float64, whatever the number of threads, and without
        # a float copy of all images.
        grey = torch.arange(256, dtype=torch.float64) / 255
        pixels = self.train_images.cpu().reshape(-1, self.channels)
        counts = torch.stack([torch.bincount(pixels[:, c], minlength=256) for c in range(self.channels)])
        shares = counts.double() / len(pixels)
        mean = shares @ grey
        variance = (shares * (grey - mean[:, None]).square()).sum(1)
        return mean.float(), variance.sqrt().float()


def from_arrays(name: str, train_images: Any, train_labels: Any, test_images: Any, test_labels: Any) -> Dataset:
    """A data set made of four arrays (numpy, torch or anything numpy reads).

    Images are uint8 [N, H, W, C], or [N, H, W] for one channel; labels are whole numbers 0..M-1 [N], where
    M - 1 is the largest label of the training images. Raises DataError for other arrays.

    >>> data = from_arrays("two", np.zeros((4, 2, 2), np.uint8), [0, 1, 0, 1], np.zeros((1, 2, 2), np.uint8), [1])
    >>> data.image, data.classes
    ((1, 2, 2), 2)
    """
    images = [
        _as_images(name, argument, value)
        for argument, value in (("train_images", train_images), ("test_images", test_images))
    ]
    labels = [
        _as_labels(name, argument, value)
        for argument, value in (("train_labels", train_labels), ("test_labels", test_labels))
    ]
    if len(labels[0]) == 0:
        raise DataError(f"{name}: train_labels must not be empty")
    largest = int(labels[0].max())
    if largest < 1:
        raise DataError(f"{name}: train_labels must name at least 2 classes 0..M-1, got a largest label of {largest}")
    return Dataset(name, images[0], labels[0], images[1], labels[1], classes=largest + 1)


def _as_tensor(name: str, argument: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name}: {argument} must be an array of numbers ({error})") from error
    try:
        # A copy: torch warns about arrays that cannot be written, and the caller may change the array later.
        return torch.from_numpy(np.array(array, order="C", dtype=array.dtype.newbyteorder("=")))
    except TypeError:
        raise DataError(f"{name}: {argument} must be an array of numbers, got dtype {array.dtype}") from None


def _as_images(name: str, argument: str, value: Any) -> Tensor:
    images = _as_tensor(name, argument, value)
    if images.ndim == 3:
        images = images.unsqueeze(3)
    return images.contiguous()


def _as_labels(name: str, argument: str, value: Any) -> Tensor:
    labels = _as_tensor(name, argument, value)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{name}: {argument} must be whole numbers, got dtype {_dtype(labels)}")
    return labels.long().contiguous()


def _check_images(name: str, argument: str, images: Tensor) -> None:
    if images.dtype != torch.uint8:
        raise DataError(
            f"{name}: {argument} must be uint8 with values 0..255, got dtype {_dtype(images)}; "
            "scale and round the images, then convert them"
        )
    if images.ndim != 4 or 0 in images.shape:
        raise DataError(
            f"{name}: {argument} must have the shape [N, H, W, C] (or [N, H, W]) and not be empty, "
            f"got {list(images.shape)}"
        )
    if images.shape[1] in (1, 3) and images.shape[3] > 4:
        # A shape with 1 or 3 rows and many channels is more likely [N, C, H, W].
        raise DataError(
            f"{name}: {argument} must have its channels last, [N, H, W, C], got {list(images.shape)}; "
            "permute them with (0, 2, 3, 1)"
        )


def _check_labels(name: str, argument: str, labels: Tensor, count: int, classes: int) -> None:
    if labels.dtype != torch.int64:
        raise DataError(f"{name}: {argument} must be int64, got dtype {_dtype(labels)}")
    if labels.shape != (count,):
        raise DataError(f"{name}: {argument} must have one label an image, shape [{count}], got {list(labels.shape)}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= classes:
        wrong = lowest if lowest < 0 else highest
        raise DataError(
            f"{name}: {argument} must lie in 0..{classes - 1} (the classes of the training labels), got {wrong}"
        )


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")

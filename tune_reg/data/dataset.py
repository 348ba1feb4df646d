"""A data set in memory: four tensors, and what follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tune_reg.data.split import train_validation
from tune_reg.errors import DataError

#: What the examples hold: bytes of images, which are scaled to [0, 1]; floats or whole numbers, which stay as they are.
Values: TypeAlias = Literal["bytes", "floats", "integers"]

_VALUES: Final[dict[torch.dtype, Values]] = {
    torch.uint8: "bytes",
    torch.float32: "floats",
    torch.int64: "integers",
}

#: The share of the examples that is held out as the test set where none is given, and the seed that draws it.
TEST_SHARE: Final = 0.2
_TEST_SEED: Final = 0


@dataclass(frozen=True)
class DatasetInfo:
    """Name and sizes of a data set, which are known without files for the built-in data sets."""

    name: str
    n_train: int
    n_test: int
    image: tuple[int, ...]
    """The shape of an example as a model takes it: (channels, height, width) of images."""
    classes: int
    values: Values = "bytes"
    """What the examples hold: "bytes" of images, scaled to [0, 1], or "floats" or "integers", given as they are."""

    @property
    def is_of_images(self) -> bool:
        """Whether the examples can be treated as images: three dimensions, and no whole numbers such as tokens."""
        return len(self.image) == 3 and self.values != "integers"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory: examples and their labels as int64 [N], for training and for the test.

    Images are uint8 [N, H, W, C]. Channels stand last, so that a gathered batch, viewed as [B, C, H, W], is in torch's
    ``channels_last`` format without a copy; a model is given them scaled to [0, 1]. All other examples, float32 or
    int64 [N, ...], are given to a model as they are: tables, signals, tokens, or images that were scaled before.
    Wrong shapes, dtypes and labels raise DataError. Two data sets are equal only when they are the same object; to
    compare their content, compare ``md5``. ``notes``: what a person should know of it, a line each.

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
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.classes, bool) or not isinstance(self.classes, int) or self.classes < 2:
            raise DataError(f"{self.name}: classes must be a whole number of at least 2, got {self.classes!r}")
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            _check_images(self.name, f"{part}_images", images)
            _check_labels(self.name, f"{part}_labels", labels, len(images), self.classes)
        if self.test_images.dtype != self.train_images.dtype:
            raise DataError(
                f"{self.name}: test_images must have the dtype of train_images, {_dtype(self.train_images)}, "
                f"got {_dtype(self.test_images)}"
            )
        if self.test_images.shape[1:] != self.train_images.shape[1:]:
            form = " [H, W, C]" if self.values == "bytes" else ""
            raise DataError(
                f"{self.name}: test_images must have the shape of an example of train_images{form} = "
                f"{list(self.train_images.shape[1:])}, got {list(self.test_images.shape[1:])}"
            )

    @property
    def values(self) -> Values:
        """What the examples hold: "bytes" of images, scaled to [0, 1], or "floats" or "integers", given as they are."""
        return _VALUES[self.train_images.dtype]

    @property
    def image(self) -> tuple[int, ...]:
        """The shape of an example as a model takes it: (channels, height, width) of images."""
        shape = tuple(self.train_images.shape[1:])
        return (shape[2], *shape[:2]) if self.values == "bytes" else shape

    @property
    def channels(self) -> int:
        """The number of channels of the images."""
        return self.image[0]

    @property
    def image_size(self) -> tuple[int, int]:
        """The (height, width) of the images; DataError where the examples are none."""
        if len(self.image) != 3:
            raise DataError(f"{self.name}: has no images, but examples of the shape {list(self.image)}")
        return self.image[1], self.image[2]

    def info(self) -> DatasetInfo:
        """The name and sizes of the data set, as ``describe`` gives them."""
        sizes = len(self.train_images), len(self.test_images)
        return DatasetInfo(self.name, *sizes, self.image, self.classes, self.values)

    @cached_property
    def md5(self) -> str:
        """The md5 of the four arrays, their dtypes and shapes; the name is not part of it."""
        digest = hashlib.md5(usedforsecurity=False)
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    @property
    def mean(self) -> Tensor | None:
        """Mean of the training images per channel in units of [0, 1], float32 [C]; None where nothing is scaled."""
        return self._moments[0] if self.values == "bytes" else None

    @property
    def std(self) -> Tensor | None:
        """Population standard deviation of the training images per channel, as ``mean``."""
        return self._moments[1] if self.values == "bytes" else None

    @cached_property
    def bounds(self) -> tuple[Tensor, Tensor] | None:
        """The smallest and the largest value, of training and test together, on the CPU; None for bytes and integers.

        Of vectors [N, F] those of each feature, float32 [F]; of other examples one number each.
        """
        if self.values != "floats":
            return None
        both = torch.stack([torch.stack(part.aminmax(dim=0)) for part in (self.train_images, self.test_images)])
        low, high = both[:, 0].amin(0), both[:, 1].amax(0)
        return (low, high) if low.ndim == 1 else (low.amin(), high.amax())

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


def from_arrays(
    name: str, train_images: Any, train_labels: Any, test_images: Any = None, test_labels: Any = None
) -> Dataset:
    """A data set made of arrays (numpy, torch or anything numpy reads).

    Images are uint8 [N, H, W, C], or [N, H, W] for one channel; they are scaled to [0, 1]. All other examples are
    numbers [N, ...] of any shape, which a model is given as they are: floats as float32 (images among them as
    [N, C, H, W]), whole numbers as int64. Nothing scales these. Labels are whole numbers 0..M-1 [N], where M - 1 is the
    largest label of the training examples. Without a test set, a fifth of the examples of each class, drawn by a fixed
    seed, is the test set. Raises DataError for other arrays.

    >>> data = from_arrays("two", np.zeros((4, 2, 2), np.uint8), [0, 1, 0, 1], np.zeros((1, 2, 2), np.uint8), [1])
    >>> data.image, data.classes
    ((1, 2, 2), 2)
    >>> table = from_arrays("table", np.zeros((10, 3)), [0, 1] * 5)
    >>> table.image, table.values, table.info().n_train, table.info().n_test
    ((3,), 'floats', 8, 2)
    """
    if (test_images is None) != (test_labels is None):
        raise DataError(f"{name}: test_images and test_labels are given both, or neither, but got one of them")
    images, labels = _as_images(name, "train_images", train_images), _as_labels(name, "train_labels", train_labels)
    if len(labels) == 0:
        raise DataError(f"{name}: train_labels must not be empty")
    notes: list[str] = []
    if images.dtype != torch.uint8:
        notes.append(
            f"{name}: examples of the shape {list(images.shape[1:])} are given to the model as they are; nothing "
            "scales them"
        )
    if test_images is None:
        _check_images(name, "train_images", images)
        _check_labels(name, "train_labels", labels, len(images), int(labels.max()) + 1)
        train, test = train_validation(len(labels), labels, TEST_SHARE, _TEST_SEED)
        images, held_images, labels, held_labels = images[train], images[test], labels[train], labels[test]
        notes.append(
            f"{name}: {len(test)} of its {len(train) + len(test)} examples, drawn by class and by a fixed seed, are "
            "the test set; give test arrays for another one"
        )
    else:
        held_images = _as_images(name, "test_images", test_images)
        held_labels = _as_labels(name, "test_labels", test_labels)
    largest = int(labels.max())
    if largest < 1:
        raise DataError(f"{name}: train_labels must name at least 2 classes 0..M-1, got a largest label of {largest}")
    return Dataset(name, images, labels, held_images, held_labels, classes=largest + 1, notes=tuple(notes))


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
    """Examples as bytes of images [N, H, W, C], floats or whole numbers."""
    images = _as_tensor(name, argument, value)
    if images.is_complex():
        raise DataError(f"{name}: {argument} must be real numbers, got dtype {_dtype(images)}")
    if images.dtype == torch.uint8 and images.ndim in (3, 4):
        return (images.unsqueeze(3) if images.ndim == 3 else images).contiguous()
    if images.ndim == 1:
        images = images.unsqueeze(1)  # one number an example
    as_they_are = torch.float32 if images.is_floating_point() or images.dtype == torch.bool else torch.int64
    return images.to(as_they_are).contiguous()


def _as_labels(name: str, argument: str, value: Any) -> Tensor:
    try:
        labels = _as_tensor(name, argument, value)
    except DataError as error:
        raise DataError(f"{error}; numpy.unique(labels, return_inverse=True)[1] numbers the classes") from None
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{name}: {argument} must be whole numbers, got dtype {_dtype(labels)}")
    return labels.long().contiguous()


def _check_images(name: str, argument: str, images: Tensor) -> None:
    if images.dtype not in _VALUES:
        raise DataError(
            f"{name}: {argument} must be uint8 images, or float32 or int64 numbers, got dtype {_dtype(images)}; "
            "from_arrays converts them"
        )
    if images.dtype == torch.uint8 and images.ndim != 4:
        raise DataError(f"{name}: {argument} of uint8 must have the shape [N, H, W, C], got {list(images.shape)}")
    if images.ndim < 2 or 0 in images.shape:
        raise DataError(f"{name}: {argument} must have the shape [N, ...] and not be empty, got {list(images.shape)}")
    if images.dtype == torch.uint8 and images.shape[1] in (1, 3) and images.shape[3] > 4:
        # A shape with 1 or 3 rows and many channels is more likely [N, C, H, W].
        raise DataError(
            f"{name}: {argument} must have its channels last, [N, H, W, C], got {list(images.shape)}; "
            "permute them with (0, 2, 3, 1)"
        )
    if images.is_floating_point():
        if images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] > 4:
            raise DataError(
                f"{name}: {argument} of floats must be as the model takes them, [N, C, H, W], got "
                f"{list(images.shape)}; permute them with (0, 3, 1, 2), or give uint8 images"
            )
        if not bool(images.isfinite().all()):
            raise DataError(f"{name}: {argument} must be finite numbers, but some are NaN or infinite")


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

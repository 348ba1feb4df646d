from __future__ import annotations

import numpy as np
import pytest
import torch

from tune_reg.data import Dataset, from_arrays
from tune_reg.errors import DataError

IMAGES = np.random.RandomState(0).randint(0, 256, (6, 5, 4, 3)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def made(**changed):
    arrays = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[:2], "test_labels": LABELS[:2]}
    return from_arrays("mine", **(arrays | changed))


def test_what_can_be_read_off():
    data = made()
    assert (data.channels, data.image_size, data.image, data.classes) == (3, (5, 4), (3, 5, 4), 3)
    assert (data.info().n_train, data.info().n_test) == (6, 2)
    unit = IMAGES.astype(np.float64) / 255
    np.testing.assert_allclose(data.mean, unit.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(data.std, unit.std((0, 1, 2)), rtol=1e-6)
    assert data.mean.dtype == data.std.dtype == torch.float32


def test_md5_is_of_the_arrays_alone():
    assert made().md5 == made().md5
    assert from_arrays("other", IMAGES, LABELS, IMAGES[:2], LABELS[:2]).md5 == made().md5
    changed = IMAGES.copy()
    changed[0, 0, 0, 0] ^= 1
    assert made(train_images=changed).md5 != made().md5
    assert made(train_labels=LABELS[::-1]).md5 != made().md5


def test_grey_images_without_a_channel():
    data = made(train_images=IMAGES[..., 0], test_images=torch.from_numpy(IMAGES[:2, ..., 0].copy()))
    assert data.image == (1, 5, 4)
    assert data.train_images.shape == (6, 5, 4, 1)


def test_the_callers_arrays_are_not_shared():
    changed = IMAGES.copy()
    data = made(train_images=changed)
    changed[:] = 0
    assert data.train_images.any()


def test_read_only_and_big_endian_arrays():
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    data = made(train_images=frozen, train_labels=LABELS.astype(">i4"), test_labels=[0, 1])
    assert data.train_labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"train_images": IMAGES[..., 0].astype(np.float32)},
            "test_images must have the dtype of train_images, float32, got uint8",
        ),
        ({"train_images": IMAGES * 1j}, "train_images must be real numbers"),
        ({"train_images": np.full((6, 4), np.nan)}, "train_images must be finite numbers"),
        ({"train_images": np.zeros((6, 32, 32, 3))}, r"of floats must be as the model takes them, \[N, C, H, W\]"),
        ({"test_images": None}, "given both, or neither"),
        ({"train_images": IMAGES[:0]}, "not be empty"),
        ({"train_images": np.zeros((6, 3, 32, 32), np.uint8)}, "channels last"),
        ({"train_images": [["a"]]}, "train_images must be an array of numbers"),
        ({"train_images": [[1, 2], [3]]}, "train_images must be an array of numbers"),
        ({"train_labels": LABELS[:4]}, r"train_labels must have one label an image, shape \[6\], got \[4\]"),
        ({"train_labels": LABELS[:0]}, "train_labels must not be empty"),
        ({"train_labels": LABELS - 1}, r"train_labels must lie in 0..1 .*, got -1"),
        ({"train_labels": LABELS * 1.0}, "train_labels must be whole numbers, got dtype float64"),
        ({"train_labels": ["a"] * 6}, r"numpy.unique\(labels, return_inverse=True\)"),
        ({"train_labels": LABELS * 0}, "at least 2 classes"),
        ({"test_labels": [0, 3]}, r"test_labels must lie in 0..2 .*, got 3"),
        ({"test_images": IMAGES[:2, :4]}, "test_images must have the shape of an example of train_images"),
    ],
)
def test_faults_are_one_clear_line(changed, message):
    with pytest.raises(DataError, match=message) as caught:
        made(**changed)
    assert str(caught.value).startswith("mine: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [1, True, 2.0])
def test_classes(classes):
    data = made()
    with pytest.raises(DataError, match="classes must be"):
        Dataset("x", data.train_images, data.train_labels, data.test_images, data.test_labels, classes)


def test_labels_of_another_dtype():
    data = made()
    with pytest.raises(DataError, match="train_labels must be int64, got dtype int32"):
        Dataset("x", data.train_images, data.train_labels.int(), data.test_images, data.test_labels, 3)

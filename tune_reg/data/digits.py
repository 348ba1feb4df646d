"""Digits: 1,797 real 8 x 8 images of handwritten digits that come with scikit-learn; no file, no network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch

from tune_reg.data.dataset import Dataset
from tune_reg.data.split import stratified
from tune_reg.errors import DataError

N_TEST = 360
SEED = 0


def load_digits() -> Dataset:
    """The digits with a fixed split: 1,437 to train on, 360 to test, each class in proportion.

    The values 0..16 become 0..255, rounded half up. scikit-learn has no official split, so this package has its own:
    the test images are the first of each class in the permutation of ``numpy.random.RandomState(0)``, whose stream
    numpy never changes (NEP 19). Source: UCI Optical Recognition of Handwritten Digits, test part (Alpaydin,
    Kaynak 1998).

    >>> data = load_digits()
    >>> data.image, len(data.train_images), len(data.test_images), data.md5
    ((1, 8, 8), 1437, 360, '4d82f763c3ee64a96fbd03f16f41cd44')
    """
    folder = digits_folder()
    if folder is None:
        raise DataError("digits: they are a file of scikit-learn, which is not installed; install it")
    rows = np.loadtxt(folder / "digits.csv.gz", delimiter=",")  # as scikit-learn's own load_digits reads them
    values, labels_array = rows[:, :-1], rows[:, -1]
    grey = (values.astype(np.int64) * 255 + 8) // 16
    images = torch.from_numpy(grey.astype(np.uint8)).reshape(-1, 8, 8, 1)
    labels = torch.from_numpy(labels_array.astype(np.int64))
    order = torch.from_numpy(np.random.RandomState(SEED).permutation(len(labels)))
    train, test = stratified(labels, N_TEST, order)
    return Dataset("digits", images[train], labels[train], images[test], labels[test], classes=10)


def digits_folder() -> Path | None:
    """The folder of scikit-learn's digits, found without importing it, which takes seconds with scipy and pandas."""
    package = importlib.util.find_spec("sklearn")
    return None if package is None or package.origin is None else Path(package.origin).parent / "datasets" / "data"

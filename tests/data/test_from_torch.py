"""Torch data sets as data sets of a study."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from tune_reg.data.from_torch import from_torch
from tune_reg.errors import DataError


class Pictures(Dataset):
    def __init__(self, sizes=(8, 8, 8, 8, 8, 8, 8, 8, 8, 8)):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, i):
        return Image.fromarray(np.full((self.sizes[i], 6, 3), i, np.uint8)), i % 2


def test_tensors_and_a_test_set_of_its_own():
    train, test = (TensorDataset(torch.rand(n, 3), torch.arange(n) % 2) for n in (8, 4))
    data = from_torch("mine", train, test)
    assert torch.equal(data.train_images, train.tensors[0])
    assert (len(data.test_labels), data.values) == (4, "floats")


def test_pictures_are_images_of_bytes():
    data = from_torch("mine", Pictures())
    assert (data.image, data.values) == ((3, 8, 6), "bytes")
    assert (data.train_images[:, 0, 0, 0] % 2 == data.train_labels).all()


class Endless(Dataset):
    def __getitem__(self, i):
        return i


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Pictures((8, 9)), r"must have one shape, but got \[8, 6, 3\] and \[9, 6, 3\]; resize them"),
        (Pictures(()), "must not be empty"),
        (TensorDataset(torch.rand(4, 3)), "item 0 of TensorDataset must be an example and a label"),
        (Endless(), "must have a length, but Endless has none"),
    ],
)
def test_faults_are_one_line(source, message):
    with pytest.raises(DataError, match=message) as caught:
        from_torch("mine", source)
    assert "\n" not in str(caught.value)

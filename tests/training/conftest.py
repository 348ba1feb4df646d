import gc
from collections.abc import Callable, Iterator

import pytest
import torch

from tune_reg.data import Dataset


@pytest.fixture(scope="session")
def random_images() -> Callable[[int, int, int], Dataset]:
    """A function from numbers of training and test images and their side to a data set of random pixels."""

    def made(n_train: int, n_test: int, side: int) -> Dataset:
        source = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (n_train + n_test, side, side, 1), dtype=torch.uint8, generator=source)
        labels = torch.arange(n_train + n_test) % 10
        return Dataset("tiny", pixels[:n_train], labels[:n_train], pixels[n_train:], labels[n_train:], classes=10)

    return made


@pytest.fixture
def without_collection() -> Iterator[None]:
    """What is freed is freed because nothing refers to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()

"""A data set made of torch data sets, whose items are an example and its label."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from tune_reg.data.dataset import Dataset, from_arrays
from tune_reg.errors import DataError
from tune_reg.user_code import error_text


def from_torch(name: str, train: TorchDataset[Any], test: TorchDataset[Any] | None = None) -> Dataset:
    """The data set of the items of ``train`` and ``test``, each read once and kept in memory.

    An item is a pair of an example (a tensor, an array, a picture of PIL or a number) and a label. What the examples
    hold decides as in ``from_arrays`` how they are treated: a random augmentation in the data set would be drawn once.
    Raises DataError for other items.

    >>> pairs = torch.utils.data.TensorDataset(torch.rand(10, 3), torch.tensor([0, 1] * 5))
    >>> from_torch("table", pairs).image
    (3,)
    """
    arrays = [array for part in (train, test) if part is not None for array in _arrays(name, part)]
    return from_arrays(name, *arrays)


def _arrays(name: str, source: TorchDataset[Any]) -> tuple[Tensor, Tensor]:
    try:
        count = len(source)  # type: ignore[arg-type]  # a torch data set need not have a length
    except TypeError:
        raise DataError(f"{name}: a torch data set must have a length, but {type(source).__name__} has none") from None
    examples, labels = [], []
    for i in range(count):
        try:
            example, label = source[i]
            examples.append(torch.as_tensor(example if isinstance(example, Tensor) else np.array(example)))
            labels.append(int(label))
        except Exception as error:
            raise DataError(
                f"{name}: item {i} of {type(source).__name__} must be an example and a label ({error_text(error)})"
            ) from error
    shapes = {tuple(example.shape) for example in examples}
    if len(shapes) > 1:
        one, other = sorted(shapes)[:2]
        raise DataError(f"{name}: all examples must have one shape, but got {list(one)} and {list(other)}; resize them")
    if not examples:
        raise DataError(f"{name}: {type(source).__name__} must not be empty")
    return torch.stack(examples), torch.tensor(labels)

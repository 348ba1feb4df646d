"""Data that a study is given in Python: arrays, torch data sets, a ``Dataset``, or a function that returns these."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset as TorchDataset

from tune_reg.data.dataset import Dataset
from tune_reg.data.from_function import made_of
from tune_reg.user_function import name_of
from tune_reg.user_objects import keep


class _Data:
    """A function that returns data that are there already."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self) -> Dataset:
        return self.dataset


def data_name(given: Any) -> Any:
    """The name of the data set that ``given`` is, under which every process of a study finds it.

    ``given``: a function, arrays or data sets as ``made_of`` takes them. What is none of these is returned as it is, as
    is a name. Raises DataError for arrays that are no data set, StudyError for a function that cannot be sent.

    >>> import numpy as np
    >>> data_name("digits"), data_name((np.zeros((10, 3)), [0, 1] * 5)).partition("@")[0]
    ('digits', 'python:arrays')
    """
    if callable(given) and not isinstance(given, Dataset | TorchDataset):
        return name_of(given, "dataset")
    made = None if isinstance(given, str) else made_of("arrays", given)
    if made is None:
        return given
    return keep(_Data(made), made.name, "dataset", digest=made.md5[:16])

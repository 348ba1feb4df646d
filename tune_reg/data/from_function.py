"""A user's own data set: a function named as ``package.module:function``, or data that are given in Python."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset as TorchDataset

from tune_reg.data.dataset import Dataset, from_arrays
from tune_reg.data.from_torch import from_torch
from tune_reg.errors import DataError, StudyError
from tune_reg.user_code import error_text
from tune_reg.user_function import import_function


def load_from_function(name: str) -> Dataset:
    """Load a user's data set by the function ``name``, without arguments, which returns what ``made_of`` takes.

    Raises StudyError where there is no such function, DataError where the function fails or returns something else.
    """
    function = import_function(name, "data set")
    try:
        made = function()
    except (DataError, StudyError):
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"{name}: the function raised {error_text(error)}") from error
    dataset = made_of(name, made)
    if dataset is None:
        raise DataError(
            f"{name}: the function must return arrays (examples, labels) or (train examples, train labels, test "
            f"examples, test labels), one or two torch data sets, or a tune_reg.data.Dataset, got {_kind(made)}"
        )
    return dataset


def made_of(name: str, made: Any) -> Dataset | None:
    """The data set that is made of ``made``; None where it is nothing that a data set is made of.

    ``made``: a ``Dataset``; two or four arrays, for which see ``from_arrays``; or one or two torch data sets.
    """
    if isinstance(made, Dataset):
        return made
    if isinstance(made, TorchDataset):
        return from_torch(name, made)
    if not isinstance(made, (tuple, list)) or len(made) not in (2, 4):
        return None
    if any(isinstance(part, TorchDataset) for part in made):
        return from_torch(name, *made) if len(made) == 2 else None
    return from_arrays(name, *made)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"a {name} of {len(value)}" if isinstance(value, (tuple, list)) else f"a {name}"

"""A user's own data set: a function named as ``package.module:function``."""

from __future__ import annotations

from tune_reg.data.dataset import Dataset, from_arrays
from tune_reg.errors import DataError, StudyError
from tune_reg.user_code import error_text
from tune_reg.user_function import import_function


def load_from_function(name: str) -> Dataset:
    """Load a user's data set by the function ``name``, without arguments, which returns a Dataset or four arrays.

    For the arrays see ``from_arrays``. Raises StudyError where there is no such function, DataError where the function
    fails or returns something else.
    """
    function = import_function(name, "data set")
    try:
        made = function()
    except (DataError, StudyError):
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"{name}: the function raised {error_text(error)}") from error
    if isinstance(made, Dataset):
        return made
    if isinstance(made, (tuple, list)) and len(made) == 4:
        return from_arrays(name, *made)
    raise DataError(
        f"{name}: the function must return a tune_reg.data.Dataset or the four arrays train_images, train_labels, "
        f"test_images, test_labels, got {_kind(made)}"
    )


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"a {name} of {len(value)}" if isinstance(value, (tuple, list)) else f"a {name}"

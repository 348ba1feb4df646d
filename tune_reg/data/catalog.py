"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tune_reg.data.cifar import find_cifar, load_cifar
from tune_reg.data.dataset import Dataset, DatasetInfo
from tune_reg.data.digits import digits_folder, load_digits
from tune_reg.data.folder import PREFIX, load_folder, parsed
from tune_reg.data.from_function import load_from_function
from tune_reg.data.mnist import FASHION_MNIST, MNIST, Family, find, load_mnist
from tune_reg.data.root import given_root
from tune_reg.data.shared import load_shared
from tune_reg.data.svhn import find_svhn, load_svhn
from tune_reg.errors import StudyError, did_you_mean


@dataclass(frozen=True)
class _Entry:
    title: str
    info: DatasetInfo
    load: Callable[[Path | None], Dataset]
    find: Callable[[Path | None], Path | None]
    """The folder of the files, or None where they are missing."""


def _entry(
    name: str,
    title: str,
    sizes: tuple[int, int, tuple[int, int, int], int],
    load: Callable[[Path | None], Dataset],
    find: Callable[[Path | None], Path | None],
) -> _Entry:
    return _Entry(title, DatasetInfo(name, *sizes), load, find)


def _folder(family: Family, root: Path | None) -> Path | None:
    paths = find(family, root)
    return next(iter(paths.values())).parent if paths else None


_CATALOG: Final = {
    entry.info.name: entry
    for entry in (
        _entry(
            "digits",
            "handwritten digits of scikit-learn, 8 x 8 grey, 1,437 + 360; needs no files",
            (1437, 360, (1, 8, 8), 10),
            lambda _: load_digits(),
            lambda _: digits_folder(),
        ),
        _entry(
            "mnist",
            "handwritten digits, 28 x 28 grey, 60,000 + 10,000",
            (60_000, 10_000, (1, 28, 28), 10),
            lambda root: load_mnist(MNIST, root),
            lambda root: _folder(MNIST, root),
        ),
        _entry(
            "fashion-mnist",
            "clothes, 28 x 28 grey, 60,000 + 10,000; also from Debian's dataset-fashion-mnist",
            (60_000, 10_000, (1, 28, 28), 10),
            lambda root: load_mnist(FASHION_MNIST, root),
            lambda root: _folder(FASHION_MNIST, root),
        ),
        _entry(
            "cifar10",
            "objects and animals, 32 x 32 colour, 10 classes, 50,000 + 10,000",
            (50_000, 10_000, (3, 32, 32), 10),
            lambda root: load_cifar(10, root),
            lambda root: find_cifar(10, root),
        ),
        _entry(
            "cifar100",
            "objects and animals, 32 x 32 colour, 100 classes, 50,000 + 10,000",
            (50_000, 10_000, (3, 32, 32), 100),
            lambda root: load_cifar(100, root),
            lambda root: find_cifar(100, root),
        ),
        _entry(
            "svhn",
            "house numbers, 32 x 32 colour, 73,257 + 26,032, without the extra set",
            (73_257, 26_032, (3, 32, 32), 10),
            load_svhn,
            find_svhn,
        ),
    )
}

#: Name -> one line, of the built-in data sets.
DATASETS: Final[dict[str, str]] = {name: entry.title for name, entry in _CATALOG.items()}


def load(name: str, root: Path | None = None) -> Dataset:
    """The data set of that name, read once in each process.

    name: one of DATASETS, a user's function ``package.module:function``, or ``folder:PATH``. root: the folder with the
    files; None: the folder in the environment's TUNE_REG_DATA, else the user's cache folder. Raises StudyError for an
    unknown name, DataError for files that are missing or differ from the published ones.

    >>> load("digits").image
    (1, 8, 8)
    """
    _check_name(name)
    return _load(name, given_root(root))


def describe(name: str) -> DatasetInfo:
    """Name and sizes of a data set, without files for the built-in data sets; a user's data set is loaded.

    >>> describe("cifar10")
    DatasetInfo(name='cifar10', n_train=50000, n_test=10000, image=(3, 32, 32), classes=10, values='bytes')
    """
    _check_name(name)
    return _CATALOG[name].info if name in _CATALOG else load(name).info()


def at_hand(name: str, root: Path | None = None) -> Path | None:
    """The folder with the files of a data set, or None where they would have to be downloaded, or are a function's.

    >>> at_hand("digits") is None
    False
    """
    _check_name(name)
    if name.startswith(PREFIX):
        return parsed(name)[0]
    if is_of_code(name):
        return None
    return _CATALOG[name].find(given_root(root))


@cache
def _load(name: str, root: Path | None) -> Dataset:
    if name.startswith(PREFIX):
        return load_folder(name)
    if is_of_code(name):
        return load_from_function(name)
    entry = _CATALOG[name]
    if name == "digits":  # a small file of a package that is installed
        return entry.load(root)
    return load_shared(name, lambda: entry.find(root), lambda: entry.load(root))


def is_of_code(name: str) -> bool:
    """Whether a data set is made by a user's function.

    >>> is_of_code("mypackage.data:load"), is_of_code("folder:cats"), is_of_code("digits")
    (True, False, False)
    """
    return ":" in name and not name.startswith(PREFIX)


def _check_name(name: str) -> None:
    if name.startswith(PREFIX):
        parsed(name)
    elif name not in _CATALOG and not is_of_code(name):
        raise StudyError(
            f"unknown data set {name!r}{did_you_mean(name, _CATALOG)}, or your own as package.module:function or "
            f"{PREFIX}PATH"
        )

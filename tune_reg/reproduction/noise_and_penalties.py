"""Noise injection and gradient penalties: tables 2 to 4 of the thesis (Tokyo Institute of Technology, 2020)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from tune_reg.reproduction.preset import DATASETS, BlockPreset, Reproducible, Scale, column

_PAPER: Final = "004_thesis"
_CITATION: Final = "bachelor thesis, Tokyo Institute of Technology, January 2020"
_METHODS: Final = {
    "db": "db",
    "jac": "jac",
    "fob": "fob",
    "NI": "noise-injection",
    "hsfob": "hsfob",
    "hsfob-db1": "hsfob-db1",
    "hsfob-db2": "hsfob-db2",
}
#: 1e-6 to 3, the thesis' grid.
_STRENGTHS: Final = tuple(f"{digit}e{power}" for power in range(-6, 1) for digit in (1, 3))
_FEW: Final = ("3e-2", "3e-1", "3e0")
_SIZES: Final = (50, 100, 200, 1000)
_SETTING: Final = "best of [1e-6,3]"

_CHOICES: Final = (
    "The batch size is not stated: 32, the default of the framework that the thesis names.",
    "The grid is 1 and 3 times the powers of ten from 1e-6 to 3; noise has the strength as its standard deviation.",
    "Penalties are means of squared norms over the batch; images are in [0, 1]; accuracy is that after the last epoch.",
    "jac, fob and hsfob are estimated by one random probe a step, which is unbiased in value and gradient, "
    "and costs an eighth of the exact form.",
    "Subsets are nested, drawn by seed, and the same for all methods.",
)
_SMALL: Final = (
    "50 images of each class alone, three strengths (0.03, 0.3 and 3) of the thesis' fourteen, and 4 or 5 seeds "
    "in place of 10: what two cores finish within an hour.",
)


class _Small(NamedTuple):
    """What the small scale takes in place of the thesis' settings."""

    seeds: int = 5
    epochs: int = 100
    model: str = ""
    in_place: str = ""


def _blocks(
    dataset: str,
    network: str,
    model: str,
    training: Mapping[str, Any],
    small: _Small = _Small(),  # noqa: B008
) -> Callable[[Scale], tuple[BlockPreset, ...]]:
    """``dataset``, ``network``: in the words of the thesis. ``model``: the network here."""

    def blocks(scale: Scale) -> tuple[BlockPreset, ...]:
        full = scale == "full"
        methods: dict[str, Mapping[str, Any]] = {
            "baseline": {"regularizer": "weight-decay", "weight_decay": 0.0},
        }
        columns = [column("baseline", "", ["baseline"])]
        for name, regularizer in _METHODS.items():
            grid = {
                f"{name.lower()}-{strength}": {"regularizer": regularizer, "strength": float(strength)}
                for strength in (_STRENGTHS if full else _FEW)
            }
            methods |= grid
            columns.append(column(name, _SETTING, grid))
        sizes = _SIZES if full else _SIZES[:1]
        return tuple(
            BlockPreset(
                name=f"{size}-images-a-class",
                dataset=dataset,
                model=network,
                keys={
                    "dataset": DATASETS[dataset],
                    "model": model if full else small.model or model,
                    "baseline": "baseline",
                    "images_per_class": [size],
                    "training": {"epochs": 100 if full else small.epochs, "batch_size": 32, **training},
                    "confirm": {"seeds": 10 if full else small.seeds},
                },
                methods=methods,
                columns=tuple(columns),
                baseline=("baseline", ""),
                sizes=(f"{size}/class",),
                in_place="" if full else small.in_place,
                over_epochs=False,  # the thesis reports the last epoch, which either protocol has
            )
            for size in sizes
        )

    return blocks


_ADAM: Final = {"optimizer": "adam", "learning_rate": 1e-3}
#: Plain SGD, with which the first check met the level of the thesis' baseline.
_SGD: Final = {"optimizer": "sgd", "learning_rate": 1e-2, "momentum": 0.0}
_OPTIMIZER: Final = "The optimizer is not named: Adam at 1e-3, the usual choice then."


def _item(
    name: str,
    title: str,
    table: str,
    blocks: Callable[[Scale], tuple[BlockPreset, ...]],
    optimizer: str,
    small: tuple[str, ...] = (),
) -> Reproducible:
    return Reproducible(
        f"noise-and-penalties-{name}",
        f"Noise injection and gradient penalties, {title}",
        _PAPER,
        table,
        _CITATION,
        blocks,
        (*_CHOICES, optimizer),
        {"small": (*_SMALL, *small)},
    )


ITEMS: Final = (
    _item(
        "table-2",
        "table 2: MNIST, small network",
        "Table2",
        _blocks("MNIST", "small", "small-cnn", _ADAM),
        _OPTIMIZER,
    ),
    _item(
        "table-2-sgd",
        "table 2 with plain SGD",
        "Table2",
        _blocks("MNIST", "small", "small-cnn", _SGD),
        "The optimizer is not named: plain SGD at 0.01, with which the level of the thesis' baseline was met in a "
        "first check.",
    ),
    _item(
        "table-3",
        "table 3: CIFAR-10, small network",
        "Table3",
        _blocks("CIFAR-10", "small", "small-cnn", _ADAM, _Small(seeds=4)),
        _OPTIMIZER,
    ),
    _item(
        "table-4",
        "table 4: CIFAR-10, ResNet",
        "Table4",
        _blocks(
            "CIFAR-10",
            "ResNet",
            "resnet-20-keras",
            _ADAM,
            _Small(epochs=30, model="resnet-8-keras", in_place="ResNet-8 and 30 epochs"),
        ),
        _OPTIMIZER,
    ),
)

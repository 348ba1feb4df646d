"""AdaDecay: tables I to III and figures 1 to 3 of Nakamura and Hong (2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from analysis.measures.reproduction.declared import Column, Curves, Line
from tune_reg.reproduction.preset import DATASETS, BlockPreset, Reproducible, Scale, column

_PAPER: Final = "002_adadecay"
_CITATION: Final = "Nakamura and Hong 2019, arXiv 1907.08931"
_NETWORKS: Final = {
    "NN-2": "nn-2",
    "NN-3": "nn-3",
    "LeNet-4": "lenet-4",
    "VGG-9": "vgg-9",
    "ResNet-18": "resnet-18",
    "ResNet-50": "resnet-50",
    "GoogLeNet": "googlenet",
    "DenseConv": "densenet-bc-100-12",
}
_SHALLOW: Final = ("NN-2", "NN-3", "LeNet-4", "VGG-9")
_LAMBDA: Final = 5e-4
#: Trials of the paper: 50 on MNIST and Fashion-MNIST, 32 on CIFAR-10.
_TRIALS: Final = {"MNIST": 50, "Fashion-MNIST": 50, "CIFAR-10": 32}

_CHOICES: Final = (
    "The widths of the perceptrons are not given: 784-512-512-10 for NN-2, one layer of 512 more for NN-3.",
    "The form of the sigmoid learning rate is not given: a logistic curve from 0.1 to 0.001 whose ends are exact.",
    "A layer is a parameter tensor, all parameters decay, and decay is coupled with momentum.",
    "The loss is cross-entropy. CIFAR-10 is augmented by crops and flips, which the paper's level implies.",
    "RMSprop and Adam start at 1e-3 (perceptrons, LeNet-4, VGG-9) or 1e-4 and follow the sigmoid curve as SGD does.",
    "The trimmed mean leaves out 10 % of the trials at each end.",
)
_SMALL: Final = (
    "25 epochs in place of 100, and 5 trials in place of 50: the least that two cores finish within an hour.",
    "Fashion-MNIST alone, where the paper's differences are largest for its spread.",
)


def _block(
    dataset: str,
    model: str,
    methods: Mapping[str, Mapping[str, Any]],
    columns: Sequence[Column],
    scale: Scale,
    *,
    baseline: tuple[str, str] | None,
    reference: str,
    curves: Curves | None = None,
    **others: Any,
) -> BlockPreset:
    full = scale == "full"
    augment = {"augment": "crop-flip"} if dataset == "CIFAR-10" else {}
    return BlockPreset(
        name=f"{DATASETS[dataset]}-{_NETWORKS[model]}",
        dataset=dataset,
        model=model,
        keys={
            "dataset": DATASETS[dataset],
            "model": _NETWORKS[model],
            "baseline": reference,
            "training": {"epochs": 100 if full else 25, "learning_rate_schedule": "sigmoid", **augment},
            "confirm": {"seeds": _TRIALS[dataset] if full else 5},
            **others,
        },
        methods=methods,
        columns=tuple(columns),
        baseline=baseline,
        sizes=("1",),
        on_validation=False,  # nothing is picked
        curves=curves,
    )


def _curves(x: str, values: Mapping[str, float], methods: tuple[str, str], *, log: bool) -> Curves:
    """Constant and adaptive decay at each value, in the statistic of the paper's figures."""
    lines = (
        Line(name=name, points=tuple((value, pattern.format(word)) for word, value in values.items()))
        for name, pattern in zip(("constant", "adadecay"), methods, strict=True)
    )
    return Curves(x=x, log=log, statistic="trimmed mean of the last tenth", lines=tuple(lines))


def _adadecay(alpha: float, kind: str = "adadecay", weight_decay: float = _LAMBDA) -> dict[str, Any]:
    return {"regularizer": kind, "weight_decay": weight_decay, "alpha": alpha}


def _constant(weight_decay: float = _LAMBDA, **others: Any) -> dict[str, Any]:
    return {"regularizer": "weight-decay", "weight_decay": weight_decay, **others}


def _table_1(scale: Scale) -> tuple[BlockPreset, ...]:
    cells = (("MNIST", "NN-2"), ("Fashion-MNIST", "NN-2"), ("CIFAR-10", "ResNet-18"))
    alphas = (-1, 1, 2, 4, 8)
    methods = {f"adadecay-alpha{alpha}": _adadecay(float(alpha)) for alpha in alphas}
    columns = [column("AdaDecay", f"5e-4;{alpha}", [f"adadecay-alpha{alpha}"]) for alpha in alphas]
    return tuple(
        _block(*cell, methods, columns, scale, baseline=("AdaDecay", "5e-4;1"), reference="adadecay-alpha1")
        for cell in (cells if scale == "full" else cells[1:2])
    )


def _table_2(scale: Scale) -> tuple[BlockPreset, ...]:
    cells = (("MNIST", "NN-2"), ("Fashion-MNIST", "NN-2"), ("CIFAR-10", "ResNet-18"))
    methods = {
        "constant": _constant(),
        "randomized": _adadecay(4.0, "adadecay-randomized"),
        "adadecay": _adadecay(4.0),
        "matched": _adadecay(4.0, "adadecay-matched"),
        "shuffled": _adadecay(4.0, "adadecay-shuffled"),
    }
    columns = [
        column("SGD-const", "5e-4", ["constant"]),
        column("randomized-decay", "5e-4;4", ["randomized"]),
        column("AdaDecay", "5e-4;4", ["adadecay"]),
    ]
    return tuple(
        _block(*cell, methods, columns, scale, baseline=("SGD-const", "5e-4"), reference="constant")
        for cell in (cells if scale == "full" else cells[1:2])
    )


def _table_3(scale: Scale) -> tuple[BlockPreset, ...]:
    full = scale == "full"
    cells = [(dataset, model) for dataset in ("MNIST", "Fashion-MNIST") for model in _SHALLOW]
    cells += [("CIFAR-10", model) for model in _NETWORKS if model not in _SHALLOW]
    blocks = []
    for dataset, model in cells if full else [("Fashion-MNIST", "NN-2")]:
        rate = 1e-3 if model in _SHALLOW else 1e-4
        methods = {
            "sgd": _constant(),
            "rmsprop": _constant(optimizer="rmsprop", learning_rate=rate),
            "adam": _constant(optimizer="adam", learning_rate=rate),
            "entropy-sgd": _constant(optimizer="entropy-sgd"),
            "accelerated-sgd": _constant(optimizer="accelerated-sgd"),
            "adadecay": _adadecay(4.0),
        }
        columns = [
            column("SGD", "5e-4", ["sgd"]),
            column("RMSprop", "5e-4", ["rmsprop"]),
            column("Adam", "5e-4", ["adam"]),
            column("Entropy-SGD", "5e-4", ["entropy-sgd"]),
            column("Accelerated-SGD", "5e-4", ["accelerated-sgd"]),
            column("AdaDecay", "5e-4;4", ["adadecay"]),
        ]
        blocks.append(_block(dataset, model, methods, columns, scale, baseline=("SGD", "5e-4"), reference="sgd"))
    return tuple(blocks)


def _figure_1(scale: Scale) -> tuple[BlockPreset, ...]:
    cells = (("MNIST", "NN-2"), ("Fashion-MNIST", "NN-2"), ("CIFAR-10", "ResNet-18"))
    decays = ("1e-3", "7e-4", "5e-4", "3e-4", "1e-4") if scale == "full" else ("1e-3", "5e-4", "1e-4")
    methods = {f"constant-{decay}": _constant(float(decay)) for decay in decays}
    methods |= {f"adadecay-{decay}": _adadecay(4.0, weight_decay=float(decay)) for decay in decays}
    curves = _curves(
        "weight decay lambda", {decay: float(decay) for decay in decays}, ("constant-{}", "adadecay-{}"), log=True
    )
    return tuple(
        _block(*cell, methods, (), scale, baseline=None, reference="constant-5e-4", curves=curves)
        for cell in (cells if scale == "full" else cells[1:2])
    )


def _figure_2(scale: Scale) -> tuple[BlockPreset, ...]:
    full = scale == "full"
    methods: dict[str, Mapping[str, Any]] = {}
    rates = {"0": 0.0, "1-16": 1 / 16, "1-8": 1 / 8, "1-4": 1 / 4}
    for name, rate in rates.items():
        methods[f"constant-dropout-{name}"] = {
            "regularizer": ["weight-decay", "dropout"],
            "weight_decay": _LAMBDA,
            "rate": rate,
        }
        methods[f"adadecay-dropout-{name}"] = {
            "regularizer": ["adadecay", "dropout"],
            "weight_decay": _LAMBDA,
            "alpha": 4.0,
            "rate": rate,
        }
    others = {} if full else {"fractions": [0.125]}
    curves = _curves("rate of dropout", rates, ("constant-dropout-{}", "adadecay-dropout-{}"), log=False)
    return tuple(
        _block(
            dataset,
            "LeNet-4",
            methods,
            (),
            scale,
            baseline=None,
            reference="constant-dropout-0",
            curves=curves,
            **others,
        )
        for dataset in (("MNIST", "Fashion-MNIST") if full else ("Fashion-MNIST",))
    )


def _item(name: str, title: str, table: str, blocks: Any, small: tuple[str, ...] = _SMALL) -> Reproducible:
    return Reproducible(
        f"adadecay-{name}", f"AdaDecay, {title}", _PAPER, table, _CITATION, blocks, _CHOICES, {"small": small}
    )


ITEMS: Final = (
    _item("table-1", "table I: the slope alpha", "TableI", _table_1),
    _item(
        "table-2",
        "table II: constant, randomized and adaptive decay",
        "TableII",
        _table_2,
        (*_SMALL, "The body of table II is lost; constant and adaptive decay are copied from table III."),
    ),
    _item("table-3", "table III and figure 3: other optimizers", "TableIII", _table_3),
    _item("figure-1", "figure 1: accuracy by lambda", "figure 1", _figure_1),
    _item(
        "figure-2",
        "figure 2: accuracy by the rate of dropout",
        "figure 2",
        _figure_2,
        (*_SMALL, "One eighth of the training images."),
    ),
)

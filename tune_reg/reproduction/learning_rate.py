"""Regularization adapted to the learning rate: figures 1 to 6, whose paper prints no numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analysis.measures.reproduction.declared import PaperClaim
from tune_reg.reproduction.preset import DATASETS, BlockPreset, Reproducible, Scale
from tune_reg.schedules.paper import EPOCHS, paper_schedule

_PAPER: Final = "003_adapting_reg"
_CITATION: Final = "Adapting Regularization with Learning Rate For Better Generalization in Neural Networks"
_FIXED: Final = ("1e-4", "2e-4", "4e-4", "8e-4")
#: The end of the first phase, before the first warm restart, as a share of the epochs.
_FIRST_PHASE: Final = 250 / EPOCHS
#: When gradients become sparse, as a share of the epochs.
_SPARSE_FROM: Final = 100 / EPOCHS

_CHOICES: Final = (
    "The prose names fixed weight decays of 1e-3 to 8e-3, the table at most 1.6e-3: one of them is off by ten. 1e-4 to "
    "8e-4 fit the table.",
    "A mask rests whole updates, momentum included, in convolutions and linear layers; it is drawn once.",
    "Momentum 0.9 without Nesterov and kept at restarts; crops of 4 padded pixels and flips.",
)
_SMALL: Final = (
    "Fashion-MNIST in place of CIFAR-10, 100 training images of each class, 90 epochs in place of 450 and 3 runs in "
    "place of 5: two cores would train one run of ResNet-14 at the paper's size for 14 hours. Schedules keep their "
    "shares of the epochs.",
    "Weight decays are the paper's. The timescale 1 / (learning rate * decay * steps an epoch) of 1e-4 is 100 epochs "
    "on 50,000 images, and 5,000 on 1,000, so that it hardly acts in 90 epochs.",
)
_SMALL_CELLS: Final = (("Fashion-MNIST", "resnet-14"),)


def _block(
    dataset: str, model: str, methods: Mapping[str, Mapping[str, Any]], scale: Scale, claims: tuple[PaperClaim, ...]
) -> BlockPreset:
    full = scale == "full"
    rates = paper_schedule("learning-rate")
    factor = {"kind": "piecewise", "boundaries": list(rates.boundaries), "values": [10 * v for v in rates.values]}
    return BlockPreset(
        name=f"{DATASETS[dataset]}-{model}",
        dataset=dataset,
        model=model,
        keys={
            "dataset": DATASETS[dataset],
            "model": model,
            "baseline": "fixed-1e-4",
            **({"fractions": [1.0]} if full else {"images_per_class": [100]}),
            "training": {
                "epochs": EPOCHS if full else EPOCHS // 5,
                # Of 1,000 training images the 10,000 that test would take three quarters of the time.
                "validate_every": 1 if full else 10,
                "batch_size": 50,
                "learning_rate": 0.1,
                "learning_rate_schedule": factor,
                "augment": "crop-flip",
            },
            "confirm": {"seeds": 5 if full else 3},
        },
        methods=methods,
        columns=(),
        baseline=None,
        sizes=(),
        on_validation=False,  # nothing is picked
        claims=claims,
    )


def _decays(scale: Scale) -> tuple[BlockPreset, ...]:
    methods: dict[str, Mapping[str, Any]] = {
        f"fixed-{decay}": {"regularizer": "weight-decay", "weight_decay": float(decay)} for decay in _FIXED
    }
    for scheme in ("sch01", "sch02"):
        methods[scheme] = {
            "regularizer": "weight-decay-taper",
            "weight_decay": 1e-4,
            "taper": scheme,
            "onset": 0.1,
            "power": 1.0,
            "ceiling": 16.0,
        }
    before, after = "before the first restart", "after the restarts"

    def claim(text: str, measure: Any, at: float, better: str, worse: str) -> PaperClaim:
        return PaperClaim(text=text, measure=measure, at=at, better=better, worse=worse)

    claims = (
        claim(
            f"{before}, scheme 01 has a lower test loss than the lowest fixed decay",
            "loss",
            _FIRST_PHASE,
            "sch01",
            "fixed-1e-4",
        ),
        claim(f"{before}, scheme 01 has a lower test loss than scheme 02", "loss", _FIRST_PHASE, "sch01", "sch02"),
        claim(
            f"{before}, the highest fixed decay has a lower test loss than the lowest",
            "loss",
            _FIRST_PHASE,
            "fixed-8e-4",
            "fixed-1e-4",
        ),
        claim(
            f"{before}, the lowest fixed decay is more accurate than the highest",
            "accuracy",
            _FIRST_PHASE,
            "fixed-1e-4",
            "fixed-8e-4",
        ),
        claim(
            f"{after}, the lowest fixed decay is more accurate than scheme 01", "accuracy", 1.0, "fixed-1e-4", "sch01"
        ),
    )
    cells = [(dataset, model) for dataset in ("CIFAR-10", "CIFAR-100") for model in ("resnet-14", "resnet-32")]
    return tuple(_block(*cell, methods, scale, claims) for cell in (cells if scale == "full" else _SMALL_CELLS))


def _sparse(scale: Scale) -> tuple[BlockPreset, ...]:
    methods: dict[str, Mapping[str, Any]] = {
        "fixed-1e-4": {"regularizer": "weight-decay", "weight_decay": 1e-4},
        **{
            scheme: {
                "regularizer": "sparse-gradients",
                "sparsity": share,
                "begin": _SPARSE_FROM,
                "end": _FIRST_PHASE,
                "weight_decay": 1e-4,
            }
            for scheme, share in (("sch21", 0.5), ("sch22", 0.8), ("sch23", 0.3))
        },
    }
    cells = (("CIFAR-10", "resnet-32"), ("CIFAR-100", "resnet-14")) if scale == "full" else _SMALL_CELLS
    return tuple(_block(*cell, methods, scale, ()) for cell in cells)


ITEMS: Final = (
    Reproducible(
        "learning-rate-figures-1-to-4",
        "Weight decay adapted to the learning rate, figures 1 to 4",
        _PAPER,
        "figures 1 to 4",
        _CITATION,
        _decays,
        _CHOICES,
        {"small": _SMALL},
    ),
    Reproducible(
        "learning-rate-figures-5-and-6",
        "Sparse gradients adapted to the learning rate, figures 5 and 6",
        _PAPER,
        "figures 5 and 6",
        _CITATION,
        _sparse,
        (*_CHOICES, "The paper draws no conclusion from these figures, so none is checked."),
        {"small": _SMALL},
    ),
)

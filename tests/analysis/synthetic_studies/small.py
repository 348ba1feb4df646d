"""A small synthetic study: four regularizers, two fractions, five seeds, one attack."""

import random
from collections.abc import Iterable
from typing import Any

from synthetic_studies.parts import BASELINE, DIVERGED, EPOCHS, Part, run_columns

SEEDS = 5
FRACTIONS = (0.25, 1.0)
GAIN = {BASELINE: 0.0, "adadecay": 0.02, "residual-smoothing": 0.001}

METHODS: dict[str, Any] = {
    BASELINE: {
        "formula": "d = g + decay * p",
        "reference": "@inproceedings{krogh1991simple,\n  title = {A Simple Weight Decay Can Improve Generalization}\n}",
        "strength": "decay",
        "space": {"decay": {"low": 1e-5, "high": 0.1, "log": True}, "learning_rate": {"value": 0.1}},
    },
    "adadecay": {
        "formula": "d = g + decay * theta * p",
        "reference": "@article{nakamura2019adaptive,\n  title = {Adaptive Weight Decay for Deep Neural Networks}\n}",
        "strength": "alpha",
        "space": {"alpha": {"low": 0.0, "high": 8.0, "log": False}},
    },
    "residual-smoothing": {"strength": "b", "space": {"b": {"choices": [0.1, 0.3, 0.5, 0.7, 0.9]}}},
    DIVERGED: {"strength": "scale", "space": {"scale": {"low": 0.0, "high": 1.0, "log": False}}},
}

STUDY: dict[str, Any] = {
    "name": "synthetic",
    "dataset": "digits",
    "model": "nn-2",
    "fractions": list(FRACTIONS),
    "protocol": "validation",
    "seed": 0,
    "baseline": BASELINE,
    "training": {"epochs": EPOCHS, "batch_size": 64, "learning_rate": 0.1},
    "search": {"trials": 12, "sampler": "tpe", "pruner": "asha"},
    "confirm": {"seeds": SEEDS},
    "robustness": {"fgsm": [0.05, 0.1]},
    "regularizers": {"adadecay": {}, BASELINE: {}, "residual-smoothing": {}, DIVERGED: {}},
}

PROVENANCE: dict[str, Any] = {
    "study_hash": "0123abcd",
    "command": "tune-reg run study.toml --out DIR",
    "versions": {"python": "3.11.7", "torch": "2.15.0"},
    "hardware": {"cpu": "a CPU", "cores": 2, "gpu": None},
    "data": {"name": "digits", "md5": "d41d8cd98f00b204e9800998ecf8427e"},
    "code": {"version": "0.1.0", "commit": None},
    "regularizers": METHODS,
}


def _strength(regularizer: str, trial: int) -> dict[str, Any]:
    if regularizer == BASELINE:
        # The last, and best, trial lies at the upper bound of the space.
        return {"decay": 1e-5 * 10 ** (4 * trial / 11), "learning_rate": 0.1}
    if regularizer == "residual-smoothing":
        return {"b": (0.1, 0.3, 0.5, 0.7, 0.9)[trial % 5]}
    return {METHODS[regularizer]["strength"]: 8 * trial / 12 if regularizer == "adadecay" else trial / 12}


def _search(regularizer: str, fraction: float, rng: random.Random) -> list[Part]:
    parts: list[Part] = []
    for trial in range(12):
        state = "pruned" if trial % 3 == 1 else "complete"
        if regularizer == DIVERGED or (regularizer, trial) == ("residual-smoothing", 11):
            state = "diverged"
        value = 0.85 + 0.05 * fraction + GAIN.get(regularizer, 0) + 0.003 * trial + rng.gauss(0, 0.001)
        parts.append(
            (
                "trials",
                f"{regularizer}-{fraction}-{trial}",
                [
                    {
                        **run_columns(regularizer),
                        "fraction": fraction,
                        "trial": trial,
                        "params": _strength(regularizer, trial),
                        "seed": 1000 + trial,
                        "state": state,
                        "reason": "loss is not finite" if state == "diverged" else None,
                        "value": None if state == "diverged" else value - 0.05 * (state == "pruned"),
                        "epochs_trained": {"complete": EPOCHS, "pruned": 2, "diverged": 1}[state],
                        "wall_s": 0.5 + rng.random(),
                    }
                ],
            )
        )
    return parts


def _confirm(regularizer: str, fraction: float, rng: random.Random) -> list[Part]:
    parts: list[Part] = []
    winner = 11 if regularizer == BASELINE else 9
    for seed in range(SEEDS):
        group = {**run_columns(regularizer), "fraction": fraction, "search_fraction": fraction}
        key = f"{regularizer}-{fraction}-{seed}"
        accuracy = 0.9 + 0.05 * fraction + GAIN[regularizer] + 0.004 * seed + rng.gauss(0, 0.002)
        diverged = regularizer == "residual-smoothing" and seed == 3 and fraction == 0.25
        measured = {
            "train_accuracy": 0.99,
            "val_accuracy": accuracy,
            "test_accuracy": accuracy,
            "test_loss": 0.2,
            "generalization_gap": 0.99 - accuracy,
            "max_over_epochs": accuracy + 0.01,
            "mean_last_10pct": accuracy - 0.001,
        }
        final = {
            **group,
            "trial": winner,
            "params": _strength(regularizer, winner),
            "seed": seed,
            "state": "diverged" if diverged else "complete",
            "reason": "loss is not finite" if diverged else None,
            "n_train": round(1437 * fraction),
            "n_test": 360,
            "epochs": 2 if diverged else EPOCHS,
            "wall_s": 1.5,
            **({} if diverged else measured),
        }
        parts.append(("final", key, [final]))
        epochs = [
            {
                **group,
                "stage": "confirm",
                "trial": winner,
                "seed": seed,
                "epoch": epoch,
                "learning_rate": 0.1,
                "strength": 0.5,
                "train_loss": 1 / epoch,
                "val_loss": 1 / epoch,
                "val_accuracy": accuracy - 0.3 / epoch**2,
                "wall_s": 0.1,
            }
            for epoch in range(1, 1 + final["epochs"])
        ]
        parts.append(("epochs", f"confirm-{key}", epochs))
        if not diverged:
            attacks = [
                {
                    **group,
                    "seed": seed,
                    "test": "fgsm",
                    "norm": "linf",
                    "epsilon": epsilon,
                    "accuracy": accuracy - 4 * epsilon,
                    "n": 360,
                }
                for epsilon in (0.0, 0.05, 0.1)
            ]
            parts.append(("robustness", key, attacks))
    return parts


def parts_of(regularizers: Iterable[str] = METHODS, fractions: Iterable[float] = FRACTIONS) -> list[Part]:
    """Every part of the synthetic study, or of a smaller one."""
    rng = random.Random(7)
    parts: list[Part] = []
    for regularizer in regularizers:
        for fraction in fractions:
            parts += _search(regularizer, fraction, rng)
            if regularizer in GAIN:
                parts += _confirm(regularizer, fraction, rng)
    return parts

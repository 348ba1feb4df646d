"""A study with everything: three fractions searched anew and carried over, attacks, noise, corruptions, warnings."""

import math
import random
from pathlib import Path
from typing import Any

from synthetic_studies.parts import BASELINE, EPOCHS, Part, run_columns
from synthetic_studies.small import METHODS, PROVENANCE, STUDY
from synthetic_studies.writing import write_parts

RICH_FRACTIONS = (0.1, 0.3, 1.0)
RICH_EPSILONS = {("fgsm", "linf"): (0.0, 0.02, 0.05), ("pgd-linf", "linf"): (0.0, 0.02, 0.05)}
RICH_SEEDS = 8
_RICH_GAIN = {BASELINE: 0.0, "adadecay": 0.012, "residual-smoothing": 0.002}
_RICH_PEAK = {BASELINE: 5e-4, "adadecay": 2e-3, "residual-smoothing": 0.5}

RICH_METHODS: dict[str, Any] = {
    BASELINE: {
        **METHODS[BASELINE],
        "strength": "decay",
        "space": {
            "decay": {"low": 1e-6, "high": 0.1, "log": True},
            "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        },
    },
    "adadecay": {
        **METHODS["adadecay"],
        "strength": "decay",
        "space": {
            "decay": {"low": 1e-6, "high": 0.1, "log": True},
            "alpha": {"low": -1.0, "high": 8.0, "log": False},
            "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        },
    },
    "residual-smoothing": {
        "strength": "b",
        "space": {
            "b": {"low": 0.1, "high": 1.7, "log": False},
            "annealing": {"choices": ["laplace", "logistic"]},
            "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        },
    },
}

RICH_STUDY: dict[str, Any] = {
    **STUDY,
    "name": "rich",
    "fractions": list(RICH_FRACTIONS),
    "search": {"trials": 40, "sampler": "tpe", "pruner": "asha"},
    "confirm": {"seeds": RICH_SEEDS},
    "robustness": {"fgsm": [0.02, 0.05], "pgd_linf": [0.02, 0.05], "corruptions": ["jpeg", "contrast"]},
    "regularizers": {name: {} for name in RICH_METHODS},
}


def _level(fraction: float) -> float:
    return 0.97 - 0.05 * math.log10(1 / fraction)


def _response(name: str, params: dict[str, Any]) -> float:
    strength = params["b" if name == "residual-smoothing" else "decay"]
    off = (strength - _RICH_PEAK[name]) if name == "residual-smoothing" else math.log10(strength / _RICH_PEAK[name])
    rate = math.log10(params["learning_rate"] / 0.1)
    return -0.006 * off**2 - 0.02 * rate**2 - 0.0002 * params.get("alpha", 4.0)


def _rich_params(name: str, rng: random.Random) -> dict[str, Any]:
    params: dict[str, Any] = {"learning_rate": 10 ** rng.uniform(-2, math.log10(0.5))}
    if name == "residual-smoothing":
        return {**params, "b": rng.uniform(0.1, 1.7), "annealing": rng.choice(["laplace", "logistic"])}
    params["decay"] = 10 ** rng.uniform(-6, -1)
    return {**params, "alpha": rng.uniform(-1, 8)} if name == "adadecay" else params


def rich_parts(
    *, trials: int = 40, seeds: int = RICH_SEEDS, images_per_class: dict[float, int] | None = None
) -> list[Part]:
    """Every part of the rich study; ``images_per_class`` by fraction, where the study is to give those."""
    rng = random.Random(3)
    shared = [rng.gauss(0, 0.003) for _ in range(seeds)]  # what a seed does to every regularizer
    parts: list[Part] = []
    for name in RICH_METHODS:
        winners: dict[float, tuple[int, dict[str, Any]]] = {}
        for fraction in RICH_FRACTIONS:
            run = {
                **run_columns(name),
                "images_per_class": (images_per_class or {}).get(fraction),
                "fraction": fraction,
            }
            rows = []
            for trial in range(trials):
                params = _rich_params(name, rng)
                state = "pruned" if trial % 4 == 3 else "diverged" if params["learning_rate"] > 0.4 else "complete"
                value = _level(fraction) + _RICH_GAIN[name] + _response(name, params) + rng.gauss(0, 0.002)
                rows.append(
                    {
                        **run,
                        "trial": trial,
                        "params": params,
                        "seed": trial,
                        "seeds": 1,
                        "state": state,
                        "value": {"complete": value, "pruned": value - 0.05, "diverged": None}[state],
                        "epochs_trained": {"complete": EPOCHS, "pruned": 2, "diverged": 1}[state],
                        "wall_s": 1.0,
                    }
                )
            parts.append(("trials", f"{name}-{fraction}", rows))
            best = max((row for row in rows if row["state"] == "complete"), key=lambda row: row["value"])
            winners[fraction] = (best["trial"], best["params"])
        for fraction in RICH_FRACTIONS:
            for searched in sorted({fraction, 1.0}):
                run = {
                    **run_columns(name),
                    "images_per_class": (images_per_class or {}).get(fraction),
                    "fraction": fraction,
                    "search_fraction": searched,
                }
                for seed in range(seeds):
                    parts += _rich_run(name, run, winners[searched], seed, shared[seed], rng)
    return parts


def _rich_run(
    name: str, run: dict[str, Any], winner: tuple[int, dict[str, Any]], seed: int, shared: float, rng: random.Random
) -> list[Part]:
    fraction, carried = run["fraction"], run["fraction"] != run["search_fraction"]
    accuracy = _level(fraction) + _RICH_GAIN[name] + shared + rng.gauss(0, 0.001) - 0.004 * carried
    key = f"{name}-{fraction}-{run['search_fraction']}-{seed}"
    final = {
        **run,
        "trial": winner[0],
        "params": winner[1],
        "seed": seed,
        "state": "complete",
        "n_train": round(5000 * fraction),
        "n_test": 1000,
        "train_accuracy": 0.999,
        "val_accuracy": accuracy,
        "test_accuracy": accuracy,
        "test_loss": 1 - accuracy,
        "test_ece": 0.02 + 0.001 * seed,
        "generalization_gap": 0.999 - accuracy,
        "max_over_epochs": accuracy + 0.006,
        "mean_last_10pct": accuracy - 0.001,
        # What a method gains, it gains in the class 1; no test image is of the class 2.
        "test_class_accuracy": [_level(fraction) + shared, _level(fraction) + shared + 2 * _RICH_GAIN[name], None],
        "test_class_images": [500, 500, 0],
        "epochs": EPOCHS,
        "wall_s": 1.0,
    }
    epochs = [
        {
            **run,
            "stage": "confirm",
            "trial": winner[0],
            "seed": seed,
            "epoch": epoch,
            "learning_rate": winner[1]["learning_rate"] * 0.5 ** (epoch - 1),
            "strength": winner[1].get("decay", 0.5 * epoch / EPOCHS),
            "val_accuracy": accuracy - 0.3 / epoch**2,
        }
        for epoch in range(1, 1 + EPOCHS)
    ]
    tough = {BASELINE: 8.0, "adadecay": 9.0, "residual-smoothing": 5.0}[name]
    test = {**run, "seed": seed, "n": 500}
    rows = [{**test, "test": "clean", "epsilon": 0.0, "accuracy": accuracy}]
    for (attack, norm), epsilons in RICH_EPSILONS.items():
        steeper = 1.3 if attack == "pgd-linf" else 1.0
        for epsilon in epsilons:
            masked = (attack, name, epsilon) == ("pgd-linf", "residual-smoothing", 0.05) and seed < 3
            rows.append(
                {
                    **test,
                    "test": attack,
                    "norm": norm,
                    "epsilon": epsilon,
                    "accuracy": max(0.0, accuracy - tough * steeper * epsilon + rng.gauss(0, 0.002) * (epsilon > 0)),
                    "warning": "accuracy above that under fgsm: the gradient may be masked" if masked else None,
                }
            )
    rows += [
        {
            **test,
            "test": "cw-l2",
            "norm": "l2",
            "epsilon": epsilon,
            "accuracy": accuracy - epsilon * tough / 20,
            "median_distance": 9 / tough + 0.01 * seed,
        }
        for epsilon in (0.0, 0.5, 1.0)
    ]
    rows += [
        {
            **test,
            "test": corruption,
            "severity": severity,
            "accuracy": accuracy - severity * harm * tough / 8 + rng.gauss(0, 0.002),
        }
        for corruption, harm in (("jpeg", 0.02), ("contrast", 0.06))
        for severity in range(1, 6)
    ]
    return [("final", key, [final]), ("epochs", key, epochs), ("robustness", key, rows)]


def expected_parts() -> list[Part]:
    """Every part of the rich study, and the table ``expected``: a search with a model doubts what was high by luck."""
    parts = rich_parts()
    for table, key, rows in list(parts):
        if table != "trials":
            continue
        valued = [row for row in rows if row["value"] is not None]
        mean = sum(row["value"] for row in valued) / len(valued)
        columns = ("study", "dataset", "model", "protocol", "regularizer", "images_per_class", "fraction", "trial")
        expected = [
            {
                **{name: row[name] for name in columns},
                "expected_value": 0.9 * row["value"] + 0.1 * mean,
                "expected_deviation": 0.002 + 0.001 * (row["state"] == "pruned"),
            }
            for row in valued
        ]
        parts.append(("expected", key, expected))
    return parts


def write_rich(directory: Path, parts: list[Part] | None = None, **changes: Any) -> Path:
    """Write the rich study."""
    provenance = {**PROVENANCE, "regularizers": RICH_METHODS}
    given = {"study": RICH_STUDY, "provenance": provenance, **changes}
    return write_parts(directory, rich_parts() if parts is None else parts, **given)

"""A synthetic study, written through the store as the search writes one."""

import json
import math
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w

from tune_reg.storage.atomic_file import write_atomic
from tune_reg.store import Store

Part = tuple[str, str, list[dict[str, Any]]]

SEEDS = 5
EPOCHS = 6
FRACTIONS = (0.25, 1.0)
BASELINE = "weight-decay"
DIVERGED = "exploding"
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


def _run(regularizer: str) -> dict[str, Any]:
    return {
        "study": "0123abcd",
        "dataset": "digits",
        "model": "nn-2",
        "protocol": "validation",
        "regularizer": regularizer,
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
                        **_run(regularizer),
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
        group = {**_run(regularizer), "fraction": fraction, "search_fraction": fraction}
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


def merged(parts: list[Part]) -> list[Part]:
    """One part per table, regularizer and fraction: a search writes one per run, which takes longer to write."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for table, _, rows in parts:
        key = f"{rows[0]['regularizer']}-{rows[0]['fraction']}"
        groups.setdefault((table, re.sub(r"[^\w.-]", "", key)), []).extend(rows)
    return [(table, key, rows) for (table, key), rows in groups.items()]


def write_study(
    directory: Path,
    parts: list[Part],
    *,
    study: dict[str, Any] = STUDY,
    provenance: dict[str, Any] | None = PROVENANCE,
    merge: bool = True,
) -> Path:
    """Write a results directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / "study.toml", tomli_w.dumps(study).encode())
    if provenance is not None:
        write_atomic(directory / "provenance.json", json.dumps(provenance).encode())
    store = Store(directory, study_hash="0123abcd")
    for table, key, rows in merged(parts) if merge else parts:
        store.write(table, key, rows)
    return directory


#: A study with everything: three fractions searched anew and carried over, attacks, noise, corruptions, warnings.
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
            run = {**_run(name), "images_per_class": (images_per_class or {}).get(fraction), "fraction": fraction}
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
                    **_run(name),
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


def write_rich(directory: Path, parts: list[Part] | None = None, **changes: Any) -> Path:
    """Write the rich study."""
    provenance = {**PROVENANCE, "regularizers": RICH_METHODS}
    given = {"study": RICH_STUDY, "provenance": provenance, **changes}
    return write_study(directory, rich_parts() if parts is None else parts, **given)


Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def changed(parts: list[Part], table: str, change: Change) -> list[Part]:
    """``parts`` with every row of ``table`` changed; rows that become None are dropped."""
    result: list[Part] = []
    for name, key, rows in parts:
        kept = [new for row in rows if (new := change(row)) is not None] if name == table else rows
        if kept:
            result.append((name, key, kept))
    return result


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole synthetic study; read it, do not write to it."""
    return write_study(tmp_path_factory.mktemp("study"), parts_of())


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rich study; read it, do not write to it."""
    return write_rich(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="session")
def lab() -> SimpleNamespace:
    """What makes synthetic studies; tests are no package, so they cannot import it."""
    return SimpleNamespace(
        parts_of=parts_of,
        write_study=write_study,
        changed=changed,
        rich_parts=rich_parts,
        write_rich=write_rich,
        rich_methods=RICH_METHODS,
        rich_study=RICH_STUDY,
        study=STUDY,
        provenance=PROVENANCE,
        methods=METHODS,
        baseline=BASELINE,
        diverged=DIVERGED,
    )

"""Results directories of any size, filled with random numbers: what a report reads, without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from tune_reg.store import SCHEMA_VERSION, SCHEMAS

#: "few": one Parquet file a table and regularizer. "each": one file a trial, as a search leaves them.
Parts = Literal["few", "each"]

REGULARIZERS = [f"method-{number}" for number in range(8)]
SEEDS = 5
SPACE = {
    "strength": {"low": 1e-6, "high": 0.1, "log": True},
    "alpha": {"low": -1.0, "high": 8.0, "log": False},
    "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
}
FRACTIONS = {1.0: (1.0,), 0.25: (0.25, 1.0)}  # fraction: where its strengths come from
ATTACKS = ("fgsm", "pgd-linf", "gaussian-noise")
CORRUPTIONS = ("blur", "contrast", "jpeg", "rotation")


def write_results(directory: Path, trials: int, epochs: int, parts: Parts) -> None:
    """Write a results directory of so many trials a regularizer, over both searched fractions."""
    rng = np.random.default_rng(0)
    for table in SCHEMAS:
        (directory / "tables" / table).mkdir(parents=True)
    study = {
        "name": "large",
        "baseline": REGULARIZERS[0],
        "fractions": [0.25, 1.0],
        "search": {"trials": trials // 2},
        "confirm": {"seeds": SEEDS},
        "regularizers": {name: {} for name in REGULARIZERS},
    }
    (directory / "study.toml").write_text(tomli_w.dumps(study))
    methods = {name: {"strength": "strength", "space": SPACE} for name in REGULARIZERS}
    (directory / "provenance.json").write_text(json.dumps({"command": "none", "regularizers": methods}))
    for name in REGULARIZERS:
        for fraction in FRACTIONS:
            _search(directory, name, fraction, trials // 2, epochs, parts, rng)
        _confirm(directory, name, epochs, rng)


def _search(
    directory: Path, name: str, fraction: float, trials: int, epochs: int, parts: Parts, rng: np.random.Generator
) -> None:
    strength, rate = 10 ** rng.uniform(-6, -1, trials), 10 ** rng.uniform(-2, np.log10(0.5), trials)
    alpha = rng.uniform(-1, 8, trials)
    value = 0.9 + 0.05 * fraction - 0.006 * (np.log10(strength) + 3) ** 2 - 0.02 * (np.log10(rate) + 1) ** 2
    value += rng.normal(0, 0.003, trials)
    state = np.where(np.arange(trials) % 3 == 2, "pruned", "complete")
    params = [
        json.dumps({"strength": s, "alpha": a, "learning_rate": r})
        for s, a, r in zip(strength.tolist(), alpha.tolist(), rate.tolist(), strict=True)
    ]
    rows: dict[str, Any] = {
        "regularizer": [name] * trials,
        "fraction": np.full(trials, fraction),
        "trial": np.arange(trials),
        "params": params,
        "seed": np.arange(trials),
        "state": state.tolist(),
        "value": value,
        "epochs_trained": np.full(trials, epochs),
        "wall_s": np.ones(trials),
        "param_strength": strength,
        "param_alpha": alpha,
        "param_learning_rate": rate,
    }
    _store(directory, "trials", f"{name}-{fraction}", rows, trials, parts)
    n = trials * epochs
    rows = {
        "regularizer": [name] * n,
        "stage": ["search"] * n,
        "fraction": np.full(n, fraction),
        "search_fraction": np.full(n, fraction),
        "trial": np.repeat(np.arange(trials), epochs),
        "seed": np.repeat(np.arange(trials), epochs),
        "epoch": np.tile(np.arange(1, epochs + 1), trials),
        "learning_rate": np.repeat(rate, epochs),
        "strength": np.repeat(strength, epochs),
        "val_loss": rng.random(n),
        "val_accuracy": rng.random(n),
        "wall_s": np.ones(n),
    }
    _store(directory, "epochs", f"search-{name}-{fraction}", rows, trials, parts)


def _confirm(directory: Path, name: str, epochs: int, rng: np.random.Generator) -> None:
    final: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    robust: list[dict[str, Any]] = []
    for fraction, sources in FRACTIONS.items():
        for source in sources:
            for seed in range(SEEDS):
                run = {"regularizer": name, "fraction": fraction, "search_fraction": source, "seed": seed}
                accuracy = 0.9 + 0.05 * fraction + rng.normal(0, 0.003)
                params = json.dumps({"strength": 1e-3, "alpha": 4.0, "learning_rate": 0.1})
                measures = ("train_accuracy", "val_accuracy", "test_accuracy", "max_over_epochs", "mean_last_10pct")
                final.append(
                    {
                        **run,
                        **dict.fromkeys(measures, accuracy),
                        "trial": 0,
                        "params": params,
                        "state": "complete",
                        "n_train": int(50_000 * fraction),
                        "n_test": 10_000,
                        "test_loss": 1 - accuracy,
                        "test_ece": 0.02,
                        "generalization_gap": 0.05,
                        "epochs": epochs,
                    }
                )
                curves += [
                    {**run, "stage": "confirm", "trial": 0, "epoch": epoch, "learning_rate": 0.1, "strength": 1e-3}
                    | {"val_accuracy": accuracy - 0.3 / epoch}
                    for epoch in range(1, epochs + 1)
                ]
                robust += [
                    {**run, "test": test, "norm": "linf", "epsilon": epsilon, "accuracy": accuracy - 4 * epsilon}
                    for test in ATTACKS
                    for epsilon in (0.0, 0.02, 0.05, 0.1)
                ]
                robust += [
                    {**run, "test": test, "severity": severity, "accuracy": accuracy - 0.02 * severity}
                    for test in CORRUPTIONS
                    for severity in range(1, 6)
                ]
    for table, rows in (("final", final), ("epochs", curves), ("robustness", robust)):
        columns = {key: [row.get(key) for row in rows] for key in {key for row in rows for key in row}}
        _store(directory, table, f"confirm-{name}", columns, 1, "few")


def _store(
    directory: Path, table: str, key: str, columns: Mapping[str, Sequence[Any]], trials: int, parts: Parts
) -> None:
    """Write columns of a table, those that are missing as nulls, as one file or as one a trial."""
    n = len(columns["regularizer"])
    schema = SCHEMAS[table]
    arrays = {
        name: pa.array(columns[name], schema.field(name).type if name in schema.names else None)
        if name in columns
        else pa.nulls(n, schema.field(name).type)
        for name in dict.fromkeys([*schema.names, *columns])
    }
    metadata = {"tune_reg.schema": str(SCHEMA_VERSION), "tune_reg.study": "large"}
    whole = pa.table(arrays)
    each = n // trials
    pieces = [whole] if parts == "few" else [whole.slice(each * trial, each) for trial in range(trials)]
    for number, piece in enumerate(pieces):
        part = f"{key}-{number}"
        keyed = piece.replace_schema_metadata({**metadata, "tune_reg.key": part})
        pq.write_table(keyed, directory / "tables" / table / f"{part}.parquet")

"""Time and memory of every table and figure of a large study.

    python benchmarks/large_study.py [--trials 2000] [--epochs 50] [--parts few|each]

8 regularizers, two searched fractions among three, attacks and corruptions. ``few`` writes one Parquet file a table
and regularizer; ``each`` one file a trial, as a search does. The measuring runs in a process of its own, so that peak
memory is its own. Figures are drawn as the report does, in all their forms.
Seconds are those of the processor, which other work on the machine does not stretch; the last line adds the clock's.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from tune_reg.store import SCHEMA_VERSION, SCHEMAS, load

REGULARIZERS = [f"method-{place}" for place in range(8)]
SEEDS = 5
SPACE = {
    "strength": {"low": 1e-6, "high": 0.1, "log": True},
    "alpha": {"low": -1.0, "high": 8.0, "log": False},
    "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
}
FRACTIONS = {1.0: (1.0,), 0.25: (0.25, 1.0)}  # fraction: where its strengths come from
FORMS = ("csv", "svg", "pdf", "png")
ATTACKS = ("fgsm", "pgd-linf", "gaussian-noise")
CORRUPTIONS = ("blur", "contrast", "jpeg", "rotation")


def write(directory, trials, epochs, parts):
    """A results directory of the given size."""
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


def _search(directory, name, fraction, trials, epochs, parts, rng):
    strength, rate = 10 ** rng.uniform(-6, -1, trials), 10 ** rng.uniform(-2, np.log10(0.5), trials)
    alpha = rng.uniform(-1, 8, trials)
    value = 0.9 + 0.05 * fraction - 0.006 * (np.log10(strength) + 3) ** 2 - 0.02 * (np.log10(rate) + 1) ** 2
    value += rng.normal(0, 0.003, trials)
    state = np.where(np.arange(trials) % 3 == 2, "pruned", "complete")
    params = [
        json.dumps({"strength": s, "alpha": a, "learning_rate": r})
        for s, a, r in zip(strength.tolist(), alpha.tolist(), rate.tolist(), strict=True)
    ]
    rows = {
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


def _confirm(directory, name, epochs, rng):
    final, curves, robust = [], [], []
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


def _store(directory, table, key, rows, trials, parts):
    n = len(rows["regularizer"])
    known = SCHEMAS[table]
    arrays = {
        name: pa.array(rows[name], known.field(name).type if name in known.names else None)
        if name in rows
        else pa.nulls(n, known.field(name).type)
        for name in dict.fromkeys([*known.names, *rows])
    }
    metadata = {"tune_reg.schema": str(SCHEMA_VERSION), "tune_reg.study": "large"}
    whole = pa.table(arrays).replace_schema_metadata(metadata)
    target = directory / "tables" / table
    pieces = [whole] if parts == "few" else [whole.slice(n // trials * at, n // trials) for at in range(trials)]
    for place, piece in enumerate(pieces):
        pq.write_table(piece, target / f"{key}-{place}.parquet")


def measure(directory, answers):
    """Seconds and peak memory, step by step."""
    started = time.perf_counter()
    from analysis import claims
    from analysis.exports.rendered_figure import render
    from analysis.figures.catalogue import FIGURES
    from analysis.measures.results import result_table
    from analysis.snapshot import Snapshot
    from analysis.tables.catalogue import TABLES

    steps = []
    last = time.process_time()

    def done(name):
        nonlocal last
        now = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        steps.append((name, now - last, peak))
        last = now

    done("import")
    data = Snapshot(load(directory))
    _ = data.trials
    done("read trials")
    _ = data.confirm_epochs
    done("read epochs")
    _ = data.final, data.robustness
    done("read final, robustness")
    result_table(data)
    claims(data)
    done("result table, claims")
    for table in TABLES:
        table.compute(data)
        done(f"table {table.name}")
    for figure in FIGURES:
        numbers = figure.compute(data)
        if not numbers.panels:
            continue
        done(f"numbers {figure.name}")
        _, files = render(figure, numbers)
        sizes = ", ".join(f"{len(files[f'figures/{figure.name}.{form}']) / 1e6:.1f} MB {form}" for form in FORMS)
        done(f"draw {figure.name} ({len(numbers.panels)} panels, {sizes})")
    answers.put((time.perf_counter() - started, time.process_time(), steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000, help="of each regularizer, over both fractions")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--parts", choices=("few", "each"), default="few")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "study"
        directory.mkdir()
        write(directory, given.trials, given.epochs, given.parts)
        files = sum(1 for _ in directory.rglob("*.parquet"))
        rows = 8 * given.trials * given.epochs
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        child = context.Process(target=measure, args=(directory, answers))
        child.start()
        clock, total, steps = answers.get()
        child.join()
    print(f"{8 * given.trials:,} trials, {rows:,} epoch rows, {files:,} Parquet files")
    for name, seconds, peak in steps:
        print(f"{seconds:7.2f} s  {peak:7.0f} MB peak  {name}")
    print(f"{total:7.2f} s  all ({clock:.1f} s by the clock)")


if __name__ == "__main__":
    main()

"""Make a table of real learning curves: a random search of AdaDecay on digits, every trial trained to the end.

    .venv/bin/python benchmarks/digits_table.py --out /tmp/digits_adadecay.csv

A row is an epoch of a trial: configuration, seed, epoch, validation accuracy (empty where the loss was not finite).
``search_efficiency.py`` replays data/digits_adadecay.csv, which was made so, as its problem "digits, replayed". A file
that exists is not written over.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from _shared.command_line import CommandLine

from tune_reg import data
from tune_reg.training import Run, SerialEngine, TrainingSettings

EPOCHS = 16
SMALL = {"configurations": 2, "seeds": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--configurations", type=int, default=200, help="configurations, drawn at random")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each configuration")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="write the table to this new file")
    options = parser.read(arguments)
    if options.out.exists():
        parser.error(f"--out {options.out}: exists already; give the name of a new file")
    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("x", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["configuration", "learning_rate", "weight_decay", "alpha", "seed", "epoch", "val_accuracy"])
        for row in learning_curves(options.configurations, options.seeds):
            rows.writerow(row)


def learning_curves(configurations: int, seeds: int) -> Iterator[tuple[object, ...]]:
    """The rows of the table, epoch by epoch."""
    digits = data.load("digits", None)
    training = TrainingSettings(epochs=EPOCHS, batch_size=32, learning_rate_schedule="sigmoid")
    rng = np.random.default_rng(0)
    for configuration in range(configurations):
        params = {
            "learning_rate": float(f"{10 ** rng.uniform(-3, 0.5):.6g}"),
            "weight_decay": float(f"{10 ** rng.uniform(-6, -1):.6g}"),
            "alpha": float(f"{rng.uniform(-1, 8):.6g}"),
        }
        for seed in range(seeds):
            run = Run("digits", "nn-2-small", "adadecay", params, training, fraction=0.25, seed=seed)
            engine = SerialEngine(run, dataset=digits)
            while not engine.finished:
                row = engine.train_epoch()
                finite = not engine.diverged and math.isfinite(row["val_accuracy"])
                accuracy = f"{row['val_accuracy']:.6g}" if finite else ""
                yield configuration, *params.values(), seed, row["epoch"], accuracy


if __name__ == "__main__":
    main()

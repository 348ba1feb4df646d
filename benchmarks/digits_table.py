"""Makes data/digits_adadecay.csv: a random search of AdaDecay on digits, every trial trained to the end.

    .venv/bin/python benchmarks/digits_table.py [--configurations 200] [--seeds 2]

A row is an epoch of a trial: configuration, seed, epoch, validation accuracy (empty where the loss was not finite).
``search_efficiency.py`` replays it.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import torch

from tune_reg import data
from tune_reg.training import Run, SerialEngine, TrainingSettings

TABLE = Path(__file__).parent / "data" / "digits_adadecay.csv"
EPOCHS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = data.load("digits", None)
    training = TrainingSettings(epochs=EPOCHS, batch_size=32, learning_rate_schedule="sigmoid")
    drawn = np.random.default_rng(0)
    TABLE.parent.mkdir(exist_ok=True)
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["configuration", "learning_rate", "weight_decay", "alpha", "seed", "epoch", "val_accuracy"])
        for configuration in range(options.configurations):
            params = {
                "learning_rate": float(f"{10 ** drawn.uniform(-3, 0.5):.6g}"),
                "weight_decay": float(f"{10 ** drawn.uniform(-6, -1):.6g}"),
                "alpha": float(f"{drawn.uniform(-1, 8):.6g}"),
            }
            for seed in range(options.seeds):
                run = Run("digits", "nn-2-small", "adadecay", params, training, fraction=0.25, seed=seed)
                engine = SerialEngine(run, dataset=digits)
                while not engine.finished:
                    row = engine.train_epoch()
                    known = not engine.diverged and math.isfinite(row["val_accuracy"])
                    value = f"{row['val_accuracy']:.6g}" if known else ""
                    rows.writerow([configuration, *params.values(), seed, row["epoch"], value])


if __name__ == "__main__":
    main()

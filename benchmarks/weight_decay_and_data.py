"""Does the best weight decay move as one over the amount of data?

    .venv/bin/tune-reg run studies/weight-decay-and-data-adamw.toml --out out/weight-decay-and-data-adamw
    .venv/bin/tune-reg run studies/weight-decay-and-data-sgd.toml --out out/weight-decay-and-data-sgd
    .venv/bin/python benchmarks/weight_decay_and_data.py [--out FILE.json] [--figure FILE.png]

Reads the confirmed runs of a study whose methods are fixed weight decays, on several amounts of data. For each amount:
the weight decay of the highest mean test accuracy, with the decays that 95 % of 2,000 resamples of the seeds pick, and
its timescale in epochs, ``1 / (learning rate * weight decay * steps an epoch)``. Over all amounts: the slope of the
logarithm of the best decay against that of the number of images, -1 where the timescale stays as it is, with its 95 %
interval over the resamples. A decay of 0 takes part in no pick. ``--results`` takes several studies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from _search.problems import Array
from _shared.command_line import CommandLine, write_json

from analysis import Snapshot
from analysis.measures.timescale import timescale_epochs
from tune_reg.errors import TuneRegError
from tune_reg.store import load

RESAMPLES = 2000
STUDIES = [Path("out/weight-decay-and-data-adamw"), Path("out/weight-decay-and-data-sgd")]


class Amount(NamedTuple):
    """The best weight decay on one amount of data."""

    images: int
    steps: int  # an epoch
    seeds: int
    best: float
    low: float  # of the decays that resamples pick
    high: float
    timescale: float  # of the best, in epochs
    accuracy: float  # of the best, on the test set
    without: float | None  # test accuracy without decay
    by_validation: float  # the decay of the highest mean validation accuracy


class Result(NamedTuple):
    """What one study says."""

    study: str
    slope: float
    slope_low: float
    slope_high: float
    amounts: tuple[Amount, ...]


def result_of(data: Snapshot) -> tuple[Result, dict[int, tuple[Array, Array]]]:
    """The numbers of one study, and for each number of images the decays and the accuracies [seed, decay]."""
    training: Mapping[str, Any] = data.study["training"]
    tables = {images: grid(data, images) for images in sorted({int(row["n_train"] or 0) for row in data.final})}
    rng = np.random.default_rng(0)
    amounts, picks = [], []
    for images, (decays, test, validation) in tables.items():
        positive = decays > 0
        drawn = rng.integers(len(test), size=(RESAMPLES, len(test)))
        means = test[drawn].mean(axis=1)[:, positive]
        picked = decays[positive][means.argmax(axis=1)]
        mean = test.mean(axis=0)
        best = float(decays[positive][mean[positive].argmax()])
        steps = math.ceil(images / int(training["batch_size"]))
        amounts.append(
            Amount(
                *(images, steps, len(test), best),
                *(float(value) for value in np.quantile(picked, [0.025, 0.975], method="nearest")),
                timescale_epochs(best, float(training["learning_rate"]), steps),
                float(mean[positive].max()),
                None if positive.all() else float(mean[~positive][0]),
                float(decays[positive][validation.mean(axis=0)[positive].argmax()]),
            )
        )
        picks.append(np.log(picked))
    images = np.log([amount.images for amount in amounts])
    slopes = np.polyfit(images, np.array(picks), 1)[0]
    slope = float(np.polyfit(images, np.log([amount.best for amount in amounts]), 1)[0])
    low, high = np.quantile(slopes, [0.025, 0.975])
    curves = {images: (decays, test) for images, (decays, test, _) in tables.items()}
    return Result(str(data.study["name"]), slope, float(low), float(high), tuple(amounts)), curves


def grid(data: Snapshot, images: int) -> tuple[Array, Array, Array]:
    """Weight decays [D], and test and validation accuracies [seed, D] of the runs that ended on every decay."""
    rows = [row for row in data.final if row["n_train"] == images and row["state"] == "complete"]
    by_run = {(row["params"]["weight_decay"], row["seed"]): row for row in rows}
    decays = sorted({decay for decay, _ in by_run})
    seeds = [seed for seed in sorted({seed for _, seed in by_run}) if all((d, seed) in by_run for d in decays)]
    test, validation = (
        np.array([[by_run[decay, seed][column] for decay in decays] for seed in seeds], float)
        for column in ("test_accuracy", "val_accuracy")
    )
    return np.array(decays), test, validation


def draw(results: Sequence[tuple[Result, dict[int, tuple[Array, Array]]]], path: Path) -> None:
    """Write a figure: a row a study; left the accuracy by decay for each amount, right the best decay by amount."""
    figure, axes = plt.subplots(len(results), 2, figsize=(9, 3.6 * len(results)), layout="constrained", squeeze=False)
    for (result, curves), (left, right) in zip(results, axes, strict=True):
        for index, (images, (decays, test)) in enumerate(curves.items()):
            mean, error = 100 * test.mean(axis=0), 100 * test.std(axis=0, ddof=1) / math.sqrt(len(test))
            positive = decays > 0
            left.errorbar(decays[positive], mean[positive], error[positive], marker="o", color=f"C{index}", capsize=2)
            left.annotate(f"{images:,} images", (decays[positive][0], mean[positive][0]), (0, 6), color=f"C{index}",
                          textcoords="offset points")  # fmt: skip
        left.set_xscale("log")
        left.set_xlabel("weight decay")
        left.set_ylabel("test accuracy, %, mean ± standard error")
        left.set_title(result.study, fontsize=10)
        images, best = ([getattr(amount, name) for amount in result.amounts] for name in ("images", "best"))
        errors = [[a.best - a.low for a in result.amounts], [a.high - a.best for a in result.amounts]]
        right.errorbar(images, best, errors, marker="o", capsize=3, label="best, with what 95 % of resamples pick")
        line = np.exp(np.mean(np.log(best)) + np.mean(np.log(images))) / np.array(images, float)
        right.plot(images, line, linestyle=":", color="0.4", label="one over the images: one timescale")
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_xlabel("training images")
        right.set_ylabel("best weight decay")
        right.set_title(f"slope {result.slope:.2f} [{result.slope_low:.2f}, {result.slope_high:.2f}]", fontsize=10)
        right.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, {})
    parser.add_argument("--results", type=Path, nargs="+", default=STUDIES, help="results directories")
    parser.outputs(figure=True)
    options = parser.read(arguments)
    try:
        results = [result_of(Snapshot(load(path))) for path in options.results]
    except TuneRegError as error:
        parser.error(str(error))
    for result, _ in results:
        print(f"{result.study}: slope {result.slope:.2f} [{result.slope_low:.2f}, {result.slope_high:.2f}]")
        for amount in result.amounts:
            without = "" if amount.without is None else f", without decay {100 * amount.without:.2f}"
            print(
                f"  {amount.images:6,} images, {amount.steps} steps: best {amount.best:g} [{amount.low:g}, "
                f"{amount.high:g}], by validation {amount.by_validation:g}, timescale {amount.timescale:.3g} epochs; "
                f"{100 * amount.accuracy:.2f} %{without}, {amount.seeds} seeds"
            )
    rows = [{**result._asdict(), "amounts": [a._asdict() for a in result.amounts]} for result, _ in results]
    write_json(options.out, {"rows": rows})
    if options.figure is not None:
        draw(results, options.figure)


if __name__ == "__main__":
    main()

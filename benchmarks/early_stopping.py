"""Which strength would be picked if all trainings were judged early?

    .venv/bin/python benchmarks/early_stopping.py [--table benchmarks/data/digits_dropout.npz ...] [--out FILE.json]
        [--figure FILE.png]

Reads tables of real learning curves, as ``strength_table.py`` makes them. For each method, at the learning rate whose
best mean test accuracy is highest: the strength with the highest mean validation accuracy after a ninth, a third and
two thirds of the epochs and at the end, and what picking it would cost in test accuracy at the end. Means are over all
seeds, so luck has the least part in it, and no search is run: what is left is what early judgement itself does. The
intervals of the cost are percentiles of 2,000 resamples of the seeds, with the pick made anew in each. A cost is
against the strength that is best at the end on the test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from _search.problems import Array
from _search.tables import Method, domain, read_methods, to_unit_values, worst_where_diverged
from _shared.command_line import CommandLine, write_json

SHARES = (1 / 9, 1 / 3, 2 / 3, 1.0)
RESAMPLES = 2000
DATA = Path(__file__).parent / "data"
SMALL = {"table": [DATA / "digits_dropout.npz"]}


class Row(NamedTuple):
    """The pick of one method after a share of the epochs."""

    table: str
    method: str
    learning_rate: float
    epoch: int
    epochs: int
    picked: float  # strength
    best: float  # strength, by test accuracy at the end
    bias: float  # picked minus best, in units of the range of strengths
    cost: float  # points of test accuracy
    cost_low: float
    cost_high: float
    seeds: int


def rows_of(table: str, method: Method) -> list[Row]:
    """The rows of one method, share by share."""
    rate = int(method.mean_test.max(axis=0).argmax())
    curves, test = worst_where_diverged(method.curves[:, :, rate]), worst_where_diverged(method.test[:, :, rate])
    places = to_unit_values(method.strengths, domain(method.strengths))
    epochs, seeds = curves.shape[-1], len(curves)
    resamples = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    best = int(test.mean(axis=0).argmax())
    rows = []
    for share in SHARES:
        epoch = max(1, round(share * epochs))
        values = curves[:, :, epoch - 1]
        picked = int(values.mean(axis=0).argmax())
        costs = [cost(values[drawn], test[drawn]) for drawn in resamples]
        low, high = np.percentile(costs, [2.5, 97.5])
        rows.append(
            Row(
                *(table, method.name, float(method.rates[rate]), epoch, epochs),
                *(float(method.strengths[picked]), float(method.strengths[best])),
                *(float(places[picked] - places[best]), cost(values, test), float(low), float(high), seeds),
            )
        )
    return rows


def cost(values: Array, test: Array) -> float:
    """Points of mean test accuracy [seed, strength] that the strength of the highest mean value leaves."""
    means = test.mean(axis=0)
    return float(100 * (means.max() - means[values.mean(axis=0).argmax()]))


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a figure with two panels: the bias of the pick and its cost, against the share of the epochs."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for index, name in enumerate(dict.fromkeys((row.table, row.method) for row in rows)):
        of_method = [row for row in rows if (row.table, row.method) == name]
        shares, costs = [row.epoch / row.epochs for row in of_method], [row.cost for row in of_method]
        color = f"C{index}"
        axes[0].plot(shares, [row.bias for row in of_method], marker="o", color=color, label=f"{name[1]} ({name[0]})")
        axes[1].plot([share + 0.006 * index for share in shares], costs, marker="o", color=color)
        axes[1].vlines(
            [share + 0.006 * index for share in shares],
            [row.cost_low for row in of_method],
            [row.cost_high for row in of_method],
            color=color,
            alpha=0.5,
        )
    axes[0].axhline(0, color="0.6", linewidth=0.8)
    axes[0].set_ylabel("picked minus best strength,\nin units of the range")
    axes[1].set_ylabel("cost of the pick,\npoints of test accuracy")
    for ax in axes:
        ax.set_xlabel("share of the epochs after which the pick is made")
        ax.set_xticks(SHARES, ["1/9", "1/3", "2/3", "end"])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--table", type=Path, nargs="+", default=sorted(DATA.glob("*.npz")), help="tables of curves")
    parser.outputs(figure=True)
    options = parser.read(arguments)
    rows = [row for path in options.table for method in read_methods(path) for row in rows_of(path.stem, method)]
    print(f"{'table':28}{'method':20}{'epoch':>9}{'picked':>10}{'best':>10}{'bias':>8}  cost in points")
    for row in rows:
        print(
            f"{row.table:28}{row.method:20}{f'{row.epoch}/{row.epochs}':>9}{row.picked:10.3g}{row.best:10.3g}"
            f"{row.bias:+8.2f}  {row.cost:.2f} [{row.cost_low:.2f}, {row.cost_high:.2f}]"
        )
    write_json(options.out, {"rows": [row._asdict() for row in rows]})
    if options.figure is not None:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()

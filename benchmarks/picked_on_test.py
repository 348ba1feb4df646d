"""Which method is best, if strengths are picked on the test set, and if they are picked on validation images?

    .venv/bin/python benchmarks/picked_on_test.py [--tables FILE.npz ...] [--seeds 1 3 5] [--out FILE.json]
        [--figure FILE.png]

Reads tables of real learning curves of methods that were trained on the same network and images, as
``strength_table.py`` makes them. Each of 2,000 draws takes ``--seeds`` of the tables' seeds as those of a publication,
and leaves the others out. Of each method it picks the strength and learning rate with the highest mean over these seeds
of test accuracy, as is often done, and of validation accuracy, both at the end of the training. In both cases the mean
test accuracy of these seeds is reported, and what it is worth is the mean test accuracy of the seeds that were left
out. No search is run: every setting of the grid was trained on every seed.

Intervals hold 95 % of the draws. They say how much a publication with so many seeds varies. They are no confidence
intervals, as draws share seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from _search.problems import Array
from _search.tables import Method, read_methods, worst_where_diverged
from _shared.command_line import CommandLine, write_json

DRAWS = 2000
DATA = Path(__file__).parent / "data"
#: Three methods on one perceptron and the same images of digits.
TABLES = [DATA / f"digits_{name}.npz" for name in ("dropout", "double_backprop", "residual_smoothing")]
WAYS = ("test", "validation")
SMALL = {"seeds": [1]}


class Grid(NamedTuple):
    """One method: the accuracies of each setting of its grid, in points, [seed, setting]."""

    method: str
    test: Array
    validation: Array


class Drawn(NamedTuple):
    """What the settings that are picked in one way are reported with, and what they are worth: [draw, method]."""

    reported: Array
    worth: Array


def grid(method: Method, seeds: int) -> Grid:
    """The first ``seeds`` seeds of a method; a training that diverged has the lowest accuracy of all."""
    test, validation = (
        100 * worst_where_diverged(values)[:seeds].reshape(seeds, -1)
        for values in (method.test, method.curves[..., -1])
    )
    return Grid(method.name, test, validation)


def picked(grids: Sequence[Grid], way: str, seeds: int) -> Drawn:
    """Pick a setting of each method in each draw, on the ``test`` set or on ``validation`` images."""
    rng = np.random.default_rng(0)
    reported, worth = np.empty((2, DRAWS, len(grids)))
    for draw in range(DRAWS):
        order = rng.permutation(len(grids[0].test))
        of_publication, left_out = order[:seeds], order[seeds:]
        for index, method in enumerate(grids):
            values = method.test if way == "test" else method.validation
            setting = int(values[of_publication].mean(axis=0).argmax())
            reported[draw, index] = method.test[of_publication, setting].mean()
            worth[draw, index] = method.test[left_out, setting].mean()
    return Drawn(reported, worth)


def orders(accuracies: Array) -> Array:
    """The numbers of the methods, the best first: [draw, method]."""
    return np.argsort(-accuracies, axis=1, kind="stable")


def summary(grids: Sequence[Grid], seeds: int) -> dict[str, Any]:
    """The numbers that ``--out`` writes; shares are of the draws, accuracies are in points."""
    by_way = {way: picked(grids, way, seeds) for way in WAYS}
    best = np.array([method.test.mean(axis=0).max() for method in grids])
    ranked = {way: orders(drawn.reported) for way, drawn in by_way.items()}
    whole = orders(best[None])[0]
    rows = []
    for index, method in enumerate(grids):
        for way, drawn in by_way.items():
            optimism = drawn.reported[:, index] - drawn.worth[:, index]
            low, high = np.percentile(optimism, [2.5, 97.5])
            means = {"reported": drawn.reported[:, index].mean(), "worth": drawn.worth[:, index].mean()}
            range_of_optimism = {"optimism": optimism.mean(), "optimism_low": low, "optimism_high": high}
            sizes = {"method": method.method, "settings": method.test.shape[1], "picked_on": way}
            rows.append({**sizes, **means, **range_of_optimism, "best_of_all_seeds": best[index]})
    ways = [
        {
            "picked_on": way,
            "first_is_that_of_all_seeds": (ranked[way][:, 0] == whole[0]).mean(),
            "order_is_that_of_all_seeds": (ranked[way] == whole).all(axis=1).mean(),
            "worth_of_first": np.take_along_axis(drawn.worth, ranked[way][:, :1], axis=1).mean(),
        }
        for way, drawn in by_way.items()
    ]
    return {
        **{"seeds": seeds, "seeds_left_out": len(grids[0].test) - seeds, "draws": DRAWS},
        "order_of_all_seeds": [grids[index].method for index in whole],
        "another_order": float((ranked["test"] != ranked["validation"]).any(axis=1).mean()),
        "another_first": float((ranked["test"][:, 0] != ranked["validation"][:, 0]).mean()),
        "rows": rows,
        "ways": ways,
    }


def draw_figure(parts: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a figure with two panels: how much too high the reports are, and how often the orders differ."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    counts = [part["seeds"] for part in parts]
    for color, method in enumerate(dict.fromkeys(row["method"] for row in parts[0]["rows"])):
        for way, line in zip(WAYS, ("-", "--"), strict=True):
            values = [
                row["optimism"]
                for part in parts
                for row in part["rows"]
                if row["method"] == method and row["picked_on"] == way
            ]
            axes[0].plot(counts, values, line, marker=".", color=f"C{color}", label=f"{method}, picked on {way}")
    axes[0].axhline(0, color="0.6", linewidth=0.8)
    axes[0].set_ylabel("reported minus worth,\npoints of test accuracy")
    axes[0].legend(fontsize=7, frameon=False, handlelength=4)
    axes[1].plot(counts, [part["another_order"] for part in parts], marker="o", color="0.2", label="another order")
    axes[1].plot(
        counts, [part["another_first"] for part in parts], marker="s", color="0.6", label="another first method"
    )
    axes[1].set_ylim(0, 1)
    axes[1].set_ylabel("share of the draws in which\nthe two ways disagree")
    axes[1].legend(fontsize=8, frameon=False)
    for ax in axes:
        ax.set_xlabel("seeds of a publication")
        ax.set_xticks(counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--tables", type=Path, nargs="+", default=TABLES, help="tables of one network and its images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5], help="seeds of a publication")
    parser.outputs(figure=True)
    options = parser.read(arguments)
    methods = [method for path in options.tables for method in read_methods(path)]
    total = min(len(method.test) for method in methods)
    if not 1 <= min(options.seeds) <= max(options.seeds) < total:
        parser.error(f"--seeds must be from 1 to {total - 1}, so that some of the {total} seeds are left out")
    grids = [grid(method, total) for method in methods]
    parts = [summary(grids, seeds) for seeds in options.seeds]
    print(f"{'seeds':>5}  {'method':20}{'settings':>9}  {'picked on':12}{'reported':>9}{'worth':>8}  too high by")
    for part in parts:
        for row in part["rows"]:
            print(
                f"{part['seeds']:5}  {row['method']:20}{row['settings']:9}  {row['picked_on']:12}{row['reported']:9.2f}"
                f"{row['worth']:8.2f}  {row['optimism']:.2f} [{row['optimism_low']:.2f}, {row['optimism_high']:.2f}]"
            )
    for part in parts:
        right = ", ".join(f"{way['first_is_that_of_all_seeds']:.0%} on {way['picked_on']}" for way in part["ways"])
        print(
            f"seeds: {part['seeds']}; another order in {part['another_order']:.0%} of the draws, another first method "
            f"in {part['another_first']:.0%}; the first one is that of all seeds in {right}"
        )
    write_json(options.out, {"parts": parts})
    if options.figure is not None:
        draw_figure(parts, options.figure)


if __name__ == "__main__":
    main()

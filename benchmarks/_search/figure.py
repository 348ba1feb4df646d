"""The figure of ``search_efficiency.py``: simple regret against budget, a panel for each problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from _search.simulation import BUDGETS

#: Arms that are drawn with dashes, to be told from this project's search.
REFERENCES = ("stock", "stock-third", "random", "one-epoch")


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the summary of each problem: the mean regret of each arm, with its interval."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(4 * len(results), 4.6), layout="constrained")
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        for i, (name, arm) in enumerate(result["arms"].items()):
            mean, low, high = np.array(arm["regret"]).T
            shift = 1 + 0.02 * (i - len(result["arms"]) / 2)
            axis.errorbar(
                np.array(BUDGETS) * shift,
                mean,
                np.maximum([mean - low, high - mean], 0),
                label=name,
                color="black" if name == "stock" else f"C{i}",
                linestyle="--" if name in REFERENCES else "-",
                marker="o",
                markersize=3,
                capsize=2,
                linewidth=1.2,
            )
        n = next(iter(result["arms"].values()))["n"]
        workers = f", {result['workers']} workers" if result["workers"] > 1 else ""
        axis.set(
            title=f"{result['problem']}{workers} (n = {n})",
            xlabel="budget in full trainings",
            xscale="log",
            yscale="log",
        )
        axis.set_xticks(BUDGETS, [str(budget) for budget in BUDGETS])
        axis.minorticks_off()
    np.atleast_1d(axes)[0].set_ylabel("simple regret, mean and 95 % interval")
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)

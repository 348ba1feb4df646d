"""The figure of ``cluster_scale.py``: each cost of the driver against the number of trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COSTS = {
    "seconds_a_trial": "seconds a trial",
    "driver_s_a_trial": "driver's processor time a trial, s",
    "ask_ms": "ms an ask",
    "driver_MiB": "driver, MiB",
}


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """A panel for each cost, a line for each run; a colour for each number of CPUs and length of trials."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(COSTS), figsize=(15, 3.6), layout="constrained")
    colours = list(dict.fromkeys((run["cpus"], run["trial_s"]) for run in runs))
    for axis, (cost, name) in zip(axes, COSTS.items(), strict=True):
        for run in runs:
            x = [row["trials"] for row in run["rows"]]
            style = "o-" if run["arm"] == "ours" else "s--"
            colour = f"C{colours.index((run['cpus'], run['trial_s']))}"
            waits = f", {run['trial_s']:g} s a trial" if run["trial_s"] else ""
            label = f"{run['arm']}, {run['cpus']} CPUs{waits}"
            axis.plot(x, [row[cost] for row in run["rows"]], style, color=colour, markersize=4, label=label)
        axis.set(xlabel="trials", ylabel=name, xscale="log")
        axis.set_ylim(0, 1.05 * max(row[cost] for run in runs for row in run["rows"]))
    axes[-1].legend(frameon=False, loc="lower right")  # there the curves leave room
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)

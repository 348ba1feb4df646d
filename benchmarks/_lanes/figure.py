"""The figure of ``lanes.py``: rates beside an eager run, a panel for each model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _lanes.contenders import PLAIN, PRECISIONS, REGULARIZERS
from _lanes.table import beside_eager


def draw(numbers: dict[str, Any], path: Path) -> None:
    """The rates beside the eager one, a panel for each model: lanes as lines, rivals as dashes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in numbers["rows"] if "rate" in row]
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(
        1, len(models), figsize=(3.6 * len(models) + 1.4, 4.2), layout="constrained", squeeze=False
    )
    dashes = {"CUDA graph": ":", "4 processes": "--", "4 processes, graphs": "-."}
    series = [*((title, "float32") for title in REGULARIZERS), *((PLAIN, precision) for precision in PRECISIONS)]
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
    for axis, model in zip(axes[0], models, strict=True):
        for (title, precision), colour in zip(series, colours, strict=True):
            ways = {
                row["way"]: beside
                for row in rows
                if (row["model"], row["regularizer"], row["precision"]) == (model, title, precision)
                and (beside := beside_eager(row, rows)) is not None
            }
            lanes = sorted((int(way.split()[0]), beside) for way, beside in ways.items() if way.endswith("lanes"))
            label = title if precision == "float32" else precision
            axis.plot(*zip(*lanes, strict=True) if lanes else ([], []), "o-", color=colour, label=label)
            for way, line in dashes.items():
                if way in ways:
                    axis.axhline(ways[way], color=colour, ls=line, lw=1)
        axis.axhline(1, color="0.6", lw=0.8)
        ticks = sorted({row["trials"] for row in rows if row["way"].endswith("lanes")})
        axis.set(title=model, xscale="log", yscale="log", xlabel="lanes")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.minorticks_off()
    axes[0][0].set_ylabel("trial-epochs a second, eager run = 1")
    handles, labels = axes[0][0].get_legend_handles_labels()
    present = {row["way"] for row in rows}
    for way, line in dashes.items():
        if way in present:
            handles.append(plt.Line2D([], [], color="0.3", ls=line, lw=1))
            labels.append(way)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{numbers['host']['device']}, batch {numbers['batch']}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)

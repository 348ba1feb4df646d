"""Panels of a figure: their grid, axes, legends and how many marks they show."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from analysis.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

T = TypeVar("T")

_PANEL: Final = (4.1, 3.4)  # inches: at 375 px the text is still 10 px high
#: Most marks of a linear axis: each is a line, a grid line and a text, which take most of the time to draw.
TICKS: Final = 6


def grid(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure of ``panels`` panels, two beside each other, and their axes."""
    from matplotlib.figure import Figure

    columns = min(2, max(1, panels))
    rows = max(1, math.ceil(panels / columns))
    figure = Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
    # A panel is a figure in the figure: laid out by itself, it can stand alone (see ``svg.parts``).
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0, hspace=0).flat
    axes = [cell.add_subplot() for cell, _ in zip(cells, range(panels), strict=False)]
    for ax in axes:
        ax.locator_params(nbins=TICKS)
    return figure, axes


def legend(axes: Axes) -> None:
    """A legend below ``axes``, where it hides no data; none where nothing is named."""
    from matplotlib.transforms import ScaledTranslation

    # Series of several fractions share one entry for what they have in common.
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    handles, labels = list(named.values()), list(named)
    figure = axes.get_figure()
    if handles and figure is not None:
        axes.legend(
            handles,
            # A very long name would leave no room for the axes.
            [textwrap.fill(name, 40, drop_whitespace=False) for name in labels],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            # In points, because the axes lose height to a legend of many rows.
            bbox_transform=axes.transAxes + ScaledTranslation(0, -30 / 72, figure.dpi_scale_trans),
            # The layout keeps the legend inside the figure, so that a wide one would narrow the axes.
            ncols=2 if max(map(len, labels)) <= 22 else 1,
            columnspacing=1.2,
            handletextpad=0.5,
        )


def plain_log_ticks(axes: Axes, *, vertical: bool = False) -> None:
    """Label a log axis, x or y, with plain numbers; matplotlib's own labels are mathematical markup."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axis.get_view_interval()
    if high <= 30 * low and axis.get_scale() == "log":
        # Less than two decades: with its decades alone the axis could have one label or none.
        ticks = [step * 10.0**power for power in range(-12, 12) for step in (1, 2, 5)]
        axis.set_ticks([tick for tick in ticks if low <= tick <= high])
    axis.set_minor_locator(NullLocator())  # dozens of marks without labels, which take most of the time to draw


def scale_axis(axes: Axes, scale: str, values: Sequence[float], *, vertical: bool = False) -> None:
    """Set the x or y axis to the ``scale`` of a hyperparameter with these ``values``, with plain labels."""
    set_scale = axes.set_yscale if vertical else axes.set_xscale
    if scale == "log":
        set_scale("log")
    elif scale == "symlog":
        set_scale("symlog", linthresh=min((abs(value) for value in values if value), default=1.0), linscale=0.5)
    if scale in ("log", "symlog"):
        limits = axes.set_ylim if vertical else axes.set_xlim
        if scale == "log":
            margin = (max(values) / min(values)) ** 0.05 if max(values) > min(values) else 2.0
            limits(min(values) / margin, max(values) * margin)
        plain_log_ticks(axes, vertical=vertical)


def data_axis(axes: Axes, ticks: Sequence[float], *, per_class: bool) -> None:
    """Mark the amounts of training data on the x axis: images of each class, or shares of the images."""
    from matplotlib.ticker import NullLocator

    axes.set_xticks(ticks, [f"{tick:.4g}" if per_class else f"{100 * tick:.4g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images of each class" if per_class else "share of the training images, %")


def rings(axes: Axes, x: Sequence[float], y: Sequence[float], *, name: str, size: float) -> PathCollection:
    """Draw rings around points, such as winners; ``name`` for the legend, ``size`` in square points."""
    return axes.scatter(x, y, s=size, marker="o", facecolors="none", edgecolors=INK, linewidths=1.3, label=name)


def thin(points: Sequence[T], most: int = 300) -> list[T]:
    """At most ``most`` of ``points``, evenly spread: thousands of markers in a panel show no more than hundreds.

    >>> thin(range(10), 4), thin(range(3), 4)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def marks(points: int, offset: int = 0) -> list[int]:
    """Which points of a line get a marker: about seven, the last among them.

    >>> marks(3), marks(60)
    ([0, 1, 2], [0, 10, 20, 30, 40, 50, 59])
    """
    return sorted({*range(offset, points, max(1, points // 6)), points - 1})

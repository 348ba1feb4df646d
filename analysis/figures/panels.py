"""Panels of a figure: their grid, axes, legends and how many marks they show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from analysis.figures.layout import SCREEN, entries
from analysis.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

T = TypeVar("T")

_HEIGHT: Final = 2.4  # of the axes, in inches
_FEWEST_NUMBERS: Final = 3  # on a log axis
_MOST_NUMBERS: Final = 8
#: Most marks of a linear axis: each is a line, a grid line and a text, which take most of the time to draw.
TICKS: Final = 6


def grid(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure of ``panels`` panels and their axes, each of which ``layout.arrange`` gives its place."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(SCREEN.panel, _HEIGHT))
    axes = [figure.add_axes((0.0, 0.0, 1.0, 1.0), label=str(panel)) for panel in range(panels)]
    for ax in axes:
        ax.locator_params(nbins=TICKS)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(_number))
    return figure, axes


def set_height(axes: Axes, height: float) -> None:
    """Give ``axes`` of ``grid`` a height in inches of their own, for a panel with a row for each of many names."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    axes.set_position((0.0, 0.0, 1.0, height / figure.get_figheight()))


def _number(value: float, _: object = None) -> str:
    return f"{value:g}".replace("-", "\u2212") if abs(value) >= 1e-12 else "0"


def legend(axes: Axes) -> None:
    """Ask for a legend below ``axes``, where it hides no data; none where nothing is named."""
    if entries(axes):
        axes.legend(loc="lower left")  # ``layout.arrange`` gives it its place, and makes it one for all panels alike


def plain_log_ticks(axes: Axes, *, vertical: bool = False) -> None:
    """Label a log axis, x or y, with plain numbers, two at least; matplotlib's own labels are mathematical markup."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_major_formatter(FuncFormatter(_number))
    low, high = axis.get_view_interval()
    if axis.get_scale() == "log":
        axis.set_ticks(log_ticks(low, high))
    axis.set_minor_locator(NullLocator())  # dozens of marks without labels, which take most of the time to draw


def log_ticks(low: float, high: float) -> list[float]:
    """Three to eight numbers on a log axis from ``low`` to ``high``: decades, then steps of 1, 2 and 5, then finer.

    >>> log_ticks(0.02, 0.8), log_ticks(1e-6, 1.0), log_ticks(0.9, 1.3)
    ([0.02, 0.05, 0.1, 0.2, 0.5], [1e-06, 1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0], [0.9, 1.0, 1.1, 1.2, 1.3])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    slack = 1e-9
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
        inside = [tick for tick in ticks if low * (1 - slack) <= tick <= high * (1 + slack)]
        if len(inside) >= _FEWEST_NUMBERS:
            return inside[:: math.ceil(len(inside) / _MOST_NUMBERS)]
    step = 10.0 ** math.floor(math.log10(high - low))
    while (high - low) / step < _FEWEST_NUMBERS:
        step /= 2
    ticks = [round(index * step, 15) for index in range(math.ceil(low / step), math.floor(high / step + slack) + 1)]
    return ticks[:: math.ceil(len(ticks) / _MOST_NUMBERS)]


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

    if len(ticks) == 1:  # matplotlib finds no limits around a single 10 on a log axis, and warns
        axes.set_xlim(ticks[0] / 2, ticks[0] * 2)
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

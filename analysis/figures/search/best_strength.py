"""Does the best strength move with the amount of data?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.panels import data_axis, grid, legend, rings, scale_axis
from analysis.figures.spec import FigureSpec
from analysis.figures.style import COLOURS, INK, styled
from analysis.measures.search.response import CATEGORY, LINEAR, strength_optima
from analysis.measures.search.spaces import number
from analysis.snapshot import Source, snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class BestPoint(NamedTuple):
    """The strength picked, and the best one by the curve, at one data fraction."""

    x: float  # share of the training images, or images a class
    picked: float  # the winner's value
    trials: int  # that the model reads
    best: float | None  # where the curve is highest, with the 95 % interval of its place; None where not located
    low: float | None
    high: float | None
    plateau_low: float | None  # values that cannot be told from the best one
    plateau_high: float | None
    edge: str | None  # of the space on which the winner lies


class BestPanel(NamedTuple):
    """The best strength of one regularizer against the amount of data."""

    regularizer: str
    parameter: str
    scale: str
    per_class: bool  # x is images a class
    points: tuple[BestPoint, ...]


class BestStrength(NamedTuple):
    """Best strength against the amount of data, one panel a regularizer."""

    panels: tuple[BestPanel, ...]


def best_strength(source: Source) -> BestStrength:
    """The strength picked, and the best one by the curve, at each fraction that was searched.

    Only regularizers whose strength is a number and was searched at two fractions or more have a panel.
    """
    data = snapshot(source)
    panels = []
    for name in data.regularizers:
        optima = strength_optima(data, name)
        per_class = all(each.fraction in data.images_per_class for each in optima)
        points = [
            BestPoint(
                float(data.images_per_class[each.fraction]) if per_class else each.fraction,
                each.picked,
                each.trials,
                *((number(each.best), each.best_low, each.best_high) if each.located else (None, None, None)),
                each.plateau_low,
                each.plateau_high,
                each.picked_edge,
            )
            for each in optima
            if isinstance(each.picked, float) and each.scale != CATEGORY
        ]
        if len(points) > 1:
            panels.append(BestPanel(name, optima[0].parameter, optima[0].scale, per_class, tuple(sorted(points))))
    return BestStrength(tuple(panels))


@styled
def draw_best_strength(data: BestStrength) -> Figure:
    """Draw one panel a regularizer: the winner, the peak of the curve with its interval, the plateau as a thick bar."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        ax.set_xscale("log")
        values = [value for p in panel.points for value in (p.picked, p.low, p.high, p.plateau_low, p.plateau_high)]
        numbers = [value for value in values if value is not None]
        if panel.scale != LINEAR:
            scale_axis(ax, panel.scale, numbers, vertical=True)
        fitted = [point for point in panel.points if point.best is not None]
        plateaus = [point for point in panel.points if point.plateau_low is not None]
        ax.vlines(
            [point.x for point in plateaus],
            [point.plateau_low or 0.0 for point in plateaus],
            [point.plateau_high or 0.0 for point in plateaus],
            color=COLOURS[0],
            linewidth=9,
            alpha=0.25,
            label="plateau",
        )
        ax.vlines(
            [point.x for point in fitted],
            [point.low or 0.0 for point in fitted],
            [point.high or 0.0 for point in fitted],
            color=COLOURS[0],
            linewidth=1.2,
        )
        ax.plot(
            [point.x for point in fitted],
            [point.best or 0.0 for point in fitted],
            color=COLOURS[0],
            marker="s",
            linestyle="--",
            label="peak of the curve",
        )
        x, y = [point.x for point in panel.points], [point.picked for point in panel.points]
        rings(ax, x, y, name="winner", size=70).set_zorder(3)
        ax.axhline(panel.points[-1].picked, color=INK, alpha=0.5, linewidth=0.9, linestyle=":", label="carried over")
        data_axis(ax, [point.x for point in panel.points], per_class=panel.per_class)
        ax.margins(x=0.12)
        ax.set_title(panel.regularizer)
        ax.set_ylabel(f"best {panel.parameter}")
        legend(ax)
    return figure


BEST_STRENGTH_FIGURE: Final = FigureSpec(
    "best-strength",
    "Does the best strength, by {scored} accuracy, move with the data?",
    "Ring: the winner of the search at each size. Square: where the curve of the model is highest, with the 95 % "
    "interval of its place, where it is located; thick bar: the plateau, whose values cannot be told from it. Dotted: "
    "the value carried over from the most data.",
    best_strength,
    draw_best_strength,
)

"""Tuning curves: the best value so far against the epochs that a search had spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.panels import grid, legend, marks
from analysis.figures.spec import FigureSpec
from analysis.figures.style import label, look, styled
from analysis.formatting import scored_on
from analysis.measures.search.tuning import TuningPoint, tuning_points
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TuningPanel(NamedTuple):
    """The tuning curves of the searches at one data fraction."""

    fraction: float
    data: str  # the fraction in words
    points: tuple[TuningPoint, ...]


class TuningCurve(NamedTuple):
    """Best validation accuracy so far against epochs spent."""

    picked_on_test: bool
    regularizers: tuple[str, ...]
    panels: tuple[TuningPanel, ...]


def tuning_curve(source: Source) -> TuningCurve:
    """Best value so far against epochs spent, trials taken in the order in which they were asked for, with bands.

    Only complete trials can be picked, so only they raise the curve; pruned and diverged ones cost epochs.
    """
    data = snapshot(source)
    panels = (TuningPanel(fraction, where(data, fraction), points) for fraction, points in tuning_points(data).items())
    return TuningCurve(data.picked_on_test, data.regularizers, tuple(panel for panel in panels if panel.points))


@styled
def draw_tuning_curve(data: TuningCurve) -> Figure:
    """Draw one panel a data fraction, one step line and one band a regularizer."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        for index, name in enumerate(data.regularizers):
            points = [point for point in panel.points if point.regularizer == name]
            style = look(index)
            band = [point for point in points if point.low is not None and point.high is not None]
            ax.fill_between(
                [point.epochs for point in band],
                [100 * (point.low or 0.0) for point in band],
                [100 * (point.high or 0.0) for point in band],
                color=style.color,
                alpha=0.12,
                linewidth=0,
                step="post",
            )
            steps = [(point.epochs, 100 * point.best) for point in points if point.best is not None]
            if not steps:
                continue
            x, y = zip(*steps, strict=True)
            ax.step(
                x,
                y,
                where="post",
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                markevery=marks(len(steps), index % 3),
                label=label(name),
            )
        lines = [100 * point.best for point in panel.points if point.best is not None]
        if lines:  # the bands of the first trials reach far below; they do not set the axis
            margin = 0.08 * max(max(lines) - min(lines), 0.1)
            ax.set_ylim(min(lines) - margin, max(lines) + margin)
        ax.set_title(panel.data)
        ax.set_xlabel("epochs spent on the search")
        ax.set_ylabel(f"best {scored_on(picked_on_test=data.picked_on_test)} accuracy so far, %")
        legend(ax)
    return figure


TUNING_FIGURE: Final = FigureSpec(
    "tuning-curve",
    "What the search bought",
    "Best complete trial so far against the epochs that the search of each regularizer had spent, pruned and "
    "diverged trials included. Band: the middle 95 % with the trials drawn in random order, with replacement.",
    tuning_curve,
    draw_tuning_curve,
)

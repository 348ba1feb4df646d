"""Tuning curves, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analysis.figures.style import grid, label, legend, look, marks, styled
from analysis.tables import Source, snapshot
from analysis.text import where
from analysis.tuning import TuningPoint, tuning_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TuningPanel(NamedTuple):
    """The searches at one data fraction."""

    fraction: float
    data: str  # the same in words
    points: tuple[TuningPoint, ...]


class TuningCurve(NamedTuple):
    """Best validation accuracy so far against epochs spent."""

    picked_on_test: bool
    regularizers: tuple[str, ...]
    panels: tuple[TuningPanel, ...]


def tuning_curve(source: Source) -> TuningCurve:
    """Best value so far against epochs spent, trials taken in the order in which they were asked, with bands.

    Only complete trials can be picked, so only they raise the curve; pruned and diverged ones cost epochs.
    """
    data = snapshot(source)
    panels = (TuningPanel(fraction, where(data, fraction), points) for fraction, points in tuning_points(data).items())
    return TuningCurve(data.picked_on_test, data.regularizers, tuple(panel for panel in panels if panel.points))


@styled
def draw_tuning_curve(data: TuningCurve) -> Figure:
    """One panel a data fraction, one step line and one band a regularizer."""
    figure, axes = grid(len(data.panels))
    for panel, own in zip(data.panels, axes, strict=True):
        for place, name in enumerate(data.regularizers):
            points = [point for point in panel.points if point.regularizer == name]
            style = look(place)
            band = [point for point in points if point.low is not None and point.high is not None]
            own.fill_between(
                [point.epochs for point in band],
                [100 * (point.low or 0.0) for point in band],
                [100 * (point.high or 0.0) for point in band],
                color=style.color,
                alpha=0.12,
                linewidth=0,
                step="post",
            )
            mine = [(point.epochs, 100 * point.best) for point in points if point.best is not None]
            if not mine:
                continue
            x, y = zip(*mine, strict=True)
            own.step(
                x,
                y,
                where="post",
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                markevery=marks(len(mine), place % 3),
                label=label(name),
            )
        lines = [100 * point.best for point in panel.points if point.best is not None]
        if lines:  # the bands of the first trials reach far below; they do not set the axis
            margin = 0.08 * max(max(lines) - min(lines), 0.1)
            own.set_ylim(min(lines) - margin, max(lines) + margin)
        own.set_title(panel.data)
        own.set_xlabel("epochs spent on the search")
        own.set_ylabel(f"best {'test' if data.picked_on_test else 'validation'} accuracy so far, %")
        legend(own)
    return figure

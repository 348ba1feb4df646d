"""Learning rate and strength of the confirmed runs over epochs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow.compute as pc

from analysis.figures.panels import TICKS, grid, legend, marks, plain_log_ticks
from analysis.figures.spec import FigureSpec
from analysis.figures.style import label, look, styled
from analysis.snapshot import Snapshot, Source, finite, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNING_RATE: Final = "learning rate"
STRENGTH: Final = "strength"

_COLUMNS: Final = ("regularizer", "seed", "epoch", "learning_rate", "strength")


class SchedulePoint(NamedTuple):
    """Learning rate or strength of one regularizer in one epoch."""

    regularizer: str
    epoch: int
    n: int  # runs that agree or are averaged
    mean: float
    lowest: float  # of any run
    highest: float
    peak: float  # largest mean of any epoch


class SchedulePanel(NamedTuple):
    """Learning rates, or strengths, of all regularizers over epochs."""

    quantity: str  # LEARNING_RATE or STRENGTH
    fraction: float
    data: str  # the fraction in words
    points: tuple[SchedulePoint, ...]


class Schedules(NamedTuple):
    """Learning rate and strength of the confirmed winners over epochs."""

    regularizers: tuple[str, ...]
    panels: tuple[SchedulePanel, ...]


def schedules(source: Source) -> Schedules:
    """Learning rate and strength in every epoch of the confirmed winners at the largest fraction."""
    data = snapshot(source)
    table = data.confirm_epochs
    largest = pc.max(table["fraction"]).as_py()
    if largest is None:
        return Schedules(data.regularizers, ())
    table = table.filter(pc.equal(table["fraction"], largest))
    rows = list(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True))
    panels = []
    for quantity, column in ((LEARNING_RATE, 3), (STRENGTH, 4)):
        values: dict[tuple[int, int], list[float]] = {}
        for row in rows:
            if finite([row[column]]):
                values.setdefault((data.order(row[0]), row[2]), []).append(row[column])
        points = _points(data, values)
        if points:
            panels.append(SchedulePanel(quantity, largest, where(data, largest), points))
    return Schedules(data.regularizers, tuple(panels))


def _points(data: Snapshot, values: dict[tuple[int, int], list[float]]) -> tuple[SchedulePoint, ...]:
    means = {key: math.fsum(runs) / len(runs) for key, runs in values.items()}
    peaks: dict[int, float] = {}
    for (index, _), mean in means.items():
        peaks[index] = max(mean, peaks.get(index, mean))
    return tuple(
        SchedulePoint(
            data.regularizers[index], epoch, len(runs), means[index, epoch], min(runs), max(runs), peaks[index]
        )
        for (index, epoch), runs in sorted(values.items())
    )


@styled
def draw_schedules(data: Schedules) -> Figure:
    """Draw learning rates on a log axis; strengths as shares of their largest value, since their units differ."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = grid(len(data.panels))
    peaks = {
        point.regularizer: point.peak for panel in data.panels if panel.quantity == STRENGTH for point in panel.points
    }
    for panel, ax in zip(data.panels, axes, strict=True):
        relative = panel.quantity == STRENGTH
        for index, name in enumerate(data.regularizers):
            line = [point for point in panel.points if point.regularizer == name]
            if not line:
                continue
            unit = (abs(line[0].peak) or 1.0) / 100 if relative else 1.0
            style = look(index)
            ax.plot(
                [point.epoch for point in line],
                [point.mean / unit for point in line],
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                markevery=marks(len(line), index % 3),
                label=label(f"{name}, strength at most {peaks[name]:.3g}" if name in peaks else name),
            )
        if not relative and all(point.mean > 0 for point in panel.points):
            ax.set_yscale("log")
            plain_log_ticks(ax, vertical=True)
        ax.set_title(f"{panel.quantity}, {panel.data}")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
        ax.set_ylabel("strength, % of its largest" if relative else panel.quantity)
        legend(ax)
    return figure


SCHEDULE_FIGURE: Final = FigureSpec(
    "schedules",
    "Schedules of the winners",
    "Of the confirmed runs at the largest fraction. Strengths have units of their own, so each is drawn as a "
    "share of its largest value, which the legend names.",
    schedules,
    draw_schedules,
)

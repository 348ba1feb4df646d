"""Learning curves of the confirmed runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import runs_text
from analysis.figures.panels import TICKS, grid, legend, marks
from analysis.figures.spec import FigureSpec
from analysis.figures.style import label, look, styled
from analysis.formatting import scored_on
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Snapshot, Source, finite, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_BANDS: Final = 4  # more of them would be one grey
_FLAT: Final = 0.35  # of the whole height, under which the last half of the epochs is too flat to be read


class EpochPoint(NamedTuple):
    """One epoch of a learning curve, over the seeds of one regularizer, in the unit of the metric."""

    regularizer: str
    epoch: int
    n: int
    mean: float
    lowest: float  # of any seed
    highest: float


class LearningPanel(NamedTuple):
    """The learning curves at one data fraction."""

    fraction: float
    search_fraction: float
    data: str  # both in words
    points: tuple[EpochPoint, ...]


class LearningCurves(NamedTuple):
    """Learning curves: the metric on the validation images of the confirmed runs over epochs."""

    picked_on_test: bool
    regularizers: tuple[str, ...]
    panels: tuple[LearningPanel, ...]
    metric: MetricText = ACCURACY_TEXT


def learning_curves(source: Source) -> LearningCurves:
    """Mean, lowest and highest validation value over seeds at every epoch of the confirmed runs.

    Only runs that ended count: with a run that diverged halfway the mean would be over other seeds before and
    after.
    """
    data = snapshot(source)
    order = data.regularizers
    groups: dict[tuple[float, float], dict[tuple[int, int], list[float]]] = {}
    for name, fraction, search_fraction, epoch, value in _confirmed(data):
        group = groups.setdefault((fraction, search_fraction), {})
        group.setdefault((order.index(name), epoch), []).append(value)
    panels = []
    for (fraction, search_fraction), group in sorted(groups.items(), reverse=True):
        points = [
            EpochPoint(order[index], epoch, len(values), math.fsum(values) / len(values), min(values), max(values))
            for (index, epoch), of_seeds in sorted(group.items())
            if (values := finite(of_seeds))
        ]
        panels.append(LearningPanel(fraction, search_fraction, where(data, fraction, search_fraction), tuple(points)))
    with_points = tuple(panel for panel in panels if panel.points)
    return LearningCurves(data.picked_on_test, order, with_points, metric_text(data))


def _confirmed(data: Snapshot) -> list[tuple[str, float, float, int, float]]:
    ended = {
        (row["regularizer"], row["fraction"], row["search_fraction"], row["seed"])
        for row in data.final
        if row["state"] == "complete"
    }
    columns = (data.confirm_epochs[name].to_pylist() for name in (*_COLUMNS, data.metric.validation_column))
    return [
        (name, fraction, carried, epoch, value)
        for name, fraction, search_fraction, seed, epoch, value in zip(*columns, strict=True)
        for carried in [fraction if search_fraction is None else search_fraction]
        if (name, fraction, carried, seed) in ended
    ]


_COLUMNS = ("regularizer", "fraction", "search_fraction", "seed", "epoch")


@styled
def draw_learning_curves(data: LearningCurves) -> Figure:
    """Draw one panel a data fraction: mean as a line, lowest to highest seed as a band."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = grid(len(data.panels))
    factor = data.metric.factor
    for panel, ax in zip(data.panels, axes, strict=True):
        names = [name for name in data.regularizers if any(point.regularizer == name for point in panel.points)]
        for index, name in enumerate(data.regularizers):
            line = [point for point in panel.points if point.regularizer == name]
            if not line:
                continue
            style = look(index)
            epochs = [point.epoch for point in line]
            low, high = [factor * point.lowest for point in line], [factor * point.highest for point in line]
            means = [factor * point.mean for point in line]
            if len(names) <= MOST_BANDS:
                ax.fill_between(epochs, low, high, color=style.color, alpha=0.13, linewidth=0)
            else:
                # Beside the end of the lines, one bar beside the other.
                at = epochs[-1] + (0.5 + names.index(name)) / len(names) * 0.12 * (epochs[-1] - epochs[0] or 1)
                ax.vlines(at, low[-1], high[-1], color=style.color, linewidth=1.2)
                ax.plot([at], [means[-1]], color=style.color, marker=style.marker, markersize=3)
            ax.plot(
                epochs,
                means,
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                markevery=marks(len(line), index % 3),
                label=label(name),
            )
        bottom, top, cut = _view(panel.points, data.metric)
        ax.set_ylim(factor * bottom, factor * top)
        ax.set_title(f"{panel.data}\n{runs_text(panel.points)}{cut}")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
        ax.set_ylabel(data.metric.heading(scored_on(picked_on_test=data.picked_on_test)))
        legend(ax)
    return figure


def _view(points: tuple[EpochPoint, ...], metric: MetricText) -> tuple[float, float, str]:
    """The ends of the axis, and what it cuts, for the title.

    It shows the last half of the epochs, in which curves differ by little, where the whole way there would hide that.
    """
    sign = -1 if metric.minimized else 1
    scores = [(point.epoch, sorted((sign * point.lowest, sign * point.highest)), sign * point.mean) for point in points]
    last = max(epoch for epoch, _, _ in scores)
    high = max(ends[1] for _, ends, _ in scores)
    lowest = min(ends[0] for _, ends, _ in scores)
    low = min(ends[0] for epoch, ends, _ in scores if epoch > last / 2)
    if high - low > _FLAT * (high - lowest):
        low = lowest
    margin = 0.06 * (high - low) or 0.001
    cut = [epoch for epoch, _, mean in scores if mean < low - margin]
    edge = metric.with_unit(f"{metric.factor * sign * (low - margin):.3g}")
    said = f"; cut {'above' if metric.minimized else 'below'} {edge}, to epoch {max(cut)}" if cut else ""
    bottom, top = sorted((sign * (low - margin), sign * (high + margin)))
    return bottom, top, said


LEARNING_FIGURE: Final = FigureSpec(
    "learning-curves",
    "Learning curves of the confirmed runs: {scored} accuracy",
    f"Line: mean over n seeds; band: lowest to highest seed; of more than {MOST_BANDS} regularizers only at the last "
    "epoch, as bars to its right. Only runs that ended are drawn. Where the first epochs would hide the differences of "
    "the last ones, the axis shows the last half of the epochs.",
    learning_curves,
    draw_learning_curves,
)

"""The paired differences of the confirmed runs as a forest plot: each a dot, beside their mean and its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import runs_text
from analysis.figures.panels import grid, legend, set_height
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, label, look, styled
from analysis.measures.comparisons import comparisons, differences_of
from analysis.measures.primary import is_of_metric, margin_of
from analysis.measures.results import largest_measured
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Letters of a name that stand on one line beside the axes.
_LINE: Final = 22
_ROW: Final = 0.4  # inches that a name of one line has
_NEXT_LINE: Final = 0.16
_EDGES: Final = 0.1


class PairedPoint(NamedTuple):
    """The difference of one regularizer to the baseline on one seed, in the unit of the metric."""

    regularizer: str
    seed: int
    difference: float
    n: int  # pairs of runs
    mean: float  # of the regularizer's differences
    low: float | None  # of the interval of that mean
    high: float | None
    spread: str  # outliers and skew, in words


class PairedPanel(NamedTuple):
    """The differences on one training set."""

    fraction: float
    search_fraction: float
    data: str  # in words
    points: tuple[PairedPoint, ...]


class PairedDifferences(NamedTuple):
    """Differences of the metric on the test images to the baseline, seed by seed."""

    regularizers: tuple[str, ...]
    margin: float | None  # differences inside it do not matter; None where the study gives none
    panels: tuple[PairedPanel, ...]
    metric: MetricText = ACCURACY_TEXT


def paired_differences(source: Source) -> PairedDifferences:
    """The paired differences in the metric of every regularizer and training set, seed by seed."""
    data = snapshot(source)
    points: dict[tuple[float, float], list[PairedPoint]] = {}
    for row in comparisons(data):
        if not is_of_metric(row.measure):
            continue
        n, mean, low, high = row.difference[:4]
        points.setdefault((row.fraction, row.search_fraction), []).extend(
            PairedPoint(row.regularizer, seed, difference, n, mean, low, high, row.spread)
            for seed, difference in sorted(differences_of(data, row).items())
        )
    panels = [PairedPanel(*setting, where(data, *setting), tuple(points[setting])) for setting in points]
    return PairedDifferences(data.regularizers, margin_of(data), tuple(panels), metric_text(data))


def head_to_head(source: Source) -> PairedDifferences:
    """The paired differences on the training set of the verdict, the largest with a run that ended."""
    return _of_panels(snapshot(source), verdict=True)


def other_differences(source: Source) -> PairedDifferences:
    """The paired differences on every training set but that of the verdict."""
    return _of_panels(snapshot(source), verdict=False)


def _of_panels(data: Snapshot, *, verdict: bool) -> PairedDifferences:
    numbers = paired_differences(data)
    settings = {(row.fraction, row.search_fraction) for row in largest_measured(data)}
    panels = (panel for panel in numbers.panels if (panel[:2] in settings) == verdict)
    return numbers._replace(panels=tuple(panels))


@styled
def draw_paired_differences(data: PairedDifferences) -> Figure:
    """Draw one panel a training set, one row a regularizer: the mean with its interval, and the dots below them."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        _draw(ax, panel, data)
    return figure


def _draw(axes: Axes, panel: PairedPanel, data: PairedDifferences) -> None:
    names = [name for name in data.regularizers if any(point.regularizer == name for point in panel.points)]
    middles, texts, bottom = [], [], 0.0
    factor, margin = data.metric.factor, data.margin
    for name in names:
        dots = [point for point in panel.points if point.regularizer == name]
        text = f"{name} (uneven)" if dots[0].spread else name
        room = _ROW + _NEXT_LINE * (math.ceil(len(text) / _LINE) - 1)
        middle = bottom + room / 2
        style = look(data.regularizers.index(name))
        # Dots of one row are shifted in turn, so that equal ones do not hide each other.
        heights = [middle + 0.05 + 0.04 * (place % 3) for place in range(len(dots))]
        x = [factor * point.difference for point in dots]
        axes.scatter(x, heights, s=12, color=style.color, marker=style.marker, alpha=0.6, linewidths=0)
        _, mean, low, high = dots[0][3:7]
        if low is not None and high is not None:
            axes.plot([factor * low, factor * high], [middle - 0.06] * 2, color=style.color, linewidth=1.8)
        axes.plot([factor * mean], [middle - 0.06], color=style.color, marker=style.marker, markersize=6.5)
        middles.append(middle)
        texts.append(label(text))
        bottom += room
    axes.axvline(0, color=INK, linewidth=0.9)
    if margin:
        said = f"margin of the study, ±{data.metric.size(margin)}"
        axes.axvline(-factor * margin, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label=said)
        axes.axvline(factor * margin, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(middles, texts)
    axes.set_ylim(bottom + _EDGES, -_EDGES)
    set_height(axes, bottom + 2 * _EDGES)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    less = data.metric.of_difference(f"test {data.metric.words} less the baseline's")
    axes.set_xlabel(f"{less} (left is better)" if data.metric.minimized else less)
    axes.set_title(f"{panel.data}\n{runs_text(panel.points)} pairs of runs")
    legend(axes)


_CAPTION: Final = (
    "Difference of test accuracy to the baseline: large marks are means over n pairs of runs of the same seed, bars "
    "their intervals, as in the table of comparisons; small marks below them are the single pairs. Uneven: one "
    "difference is unlike all others, or they are skewed, which a mean describes badly."
)
HEAD_FIGURE: Final = FigureSpec(
    "head-to-head", "Head to head with the baseline, on the test set", _CAPTION, head_to_head, draw_paired_differences
)
PAIRED_FIGURE: Final = FigureSpec(
    "paired-differences",
    "Head to head with the baseline, on the test set: other training sets",
    _CAPTION,
    other_differences,
    draw_paired_differences,
)

"""Differences to the baseline in several studies: one row a study and regularizer."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from analysis.figures.intervals import error_bars
from analysis.figures.layout import SCREEN
from analysis.figures.panels import legend
from analysis.figures.spec import FigureSpec
from analysis.figures.style import label, look, styled
from analysis.metric_text import ACCURACY_TEXT, MetricText
from analysis.statistics import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class StudyDifference(Protocol):
    """The difference of one regularizer to the baseline of one study, as ``differences`` needs it."""

    @property
    def study(self) -> str:
        """Name of the study."""

    @property
    def regularizer(self) -> str:
        """Name of the regularizer."""

    @property
    def difference(self) -> Comparison | None:
        """The difference of the metric on the test images to the baseline of the study."""


class DifferencePoint(NamedTuple):
    """A mean paired difference of test values, in the unit of the metric."""

    study: str
    regularizer: str
    n: int  # pairs
    mean: float
    low: float | None  # ends of the 95 % interval, or None with one pair
    high: float | None


class DifferencePanel(NamedTuple):
    """The differences of all studies in one measure."""

    measure: str
    points: tuple[DifferencePoint, ...]


class Differences(NamedTuple):
    """Mean paired differences to the baseline of each study."""

    regularizers: tuple[str, ...]
    panels: tuple[DifferencePanel, ...]
    metric: MetricText = ACCURACY_TEXT


def differences(rows: Sequence[StudyDifference], metric: MetricText = ACCURACY_TEXT) -> Differences:
    """Differences to the baseline of every study and regularizer that has one; no panel where none has.

    ``metric``: how the metric of all studies is written.
    """
    points = tuple(
        DifferencePoint(row.study, row.regularizer, *row.difference[:4]) for row in rows if row.difference is not None
    )
    names = tuple(dict.fromkeys(row.regularizer for row in rows))
    return Differences(names, (DifferencePanel(f"test {metric.words}", points),) if points else (), metric)


@styled
def draw_differences(numbers: Differences) -> Figure:
    """Draw a forest plot: studies below each other, zero is the study's own baseline."""
    from matplotlib.figure import Figure

    panel = numbers.panels[0]
    studies = list(dict.fromkeys(point.study for point in panel.points))
    compared = [name for name in numbers.regularizers if any(point.regularizer == name for point in panel.points)]
    height = 0.28 * max(2, len(studies) * (len(compared) + 0.6))
    figure = Figure(figsize=(SCREEN.single, min(height, 40.0)))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    step = 0.8 / max(1, len(compared))
    for index, name in enumerate(compared):
        style = look(numbers.regularizers.index(name))
        line = [point for point in panel.points if point.regularizer == name]
        axes.errorbar(
            [numbers.metric.factor * point.mean for point in line],
            [studies.index(point.study) + (index - (len(compared) - 1) / 2) * step for point in line],
            xerr=error_bars(line, numbers.metric.factor),
            color=style.color,
            marker=style.marker,
            linestyle="none",
            capsize=2.5,
            label=label(name),
        )
    axes.axvline(0, color=look(0).color, linewidth=0.9)
    axes.set_yticks(range(len(studies)), [_lines(study) for study in studies])
    axes.set_ylim(len(studies) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(numbers.metric.of_difference("difference to the study's baseline"))
    axes.set_title(f"{panel.measure}, 95 % intervals")
    handles = axes.get_legend_handles_labels()[0]
    if handles:
        legend(axes)
    return figure


def _lines(name: str) -> str:
    # A long name beside the axis would leave no room for the axis.
    lines = textwrap.wrap(name, 16)
    return label("\n".join(lines[:3]) + (" …" if len(lines) > 3 else ""))


DIFFERENCE_FIGURE: Final = FigureSpec(
    "differences",
    "Differences to the baseline",
    "Points are mean paired differences of test accuracy within each study, bars their intervals; zero is the study's "
    "own baseline. The intervals are not corrected for their number; what may be claimed stands in the table.",
    differences,
    draw_differences,
)

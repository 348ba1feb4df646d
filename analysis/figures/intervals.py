"""Lines with intervals, as in accuracy against data and against attack strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from analysis.figures.style import label, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: What the caption of a figure with intervals says.
INTERVALS: Final = (
    "Points are means over confirmed runs, bars their 95 % intervals; lines are shifted sideways a little."
)


class CurvePoint(NamedTuple):
    """The mean over runs at one point of one line. Accuracies are shares in [0, 1]."""

    regularizer: str
    x: float
    n: int  # runs
    mean: float
    low: float | None  # ends of the 95 % interval, or None with one run
    high: float | None
    method: str  # how the interval was made


class Interval(Protocol):
    """A mean with its interval, as ``error_bars`` needs it."""

    @property
    def mean(self) -> float:
        """The mean."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval, or None with one run."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval, or None with one run."""


class LinePoint(Interval, Protocol):
    """A point of the line of one regularizer, as ``draw_intervals`` needs it."""

    @property
    def regularizer(self) -> str:
        """The regularizer whose line the point is on."""

    @property
    def x(self) -> float:
        """Place of the point on the x axis."""


def draw_intervals(
    axes: Axes, points: Sequence[LinePoint], order: Sequence[str], *, spread: float, log: bool = False
) -> None:
    """Draw one line with error bars per regularizer, in percent.

    ``spread``: how far neighbouring lines are shifted along x so that their bars do not hide each other; a
    factor where ``log``, else in units of x.
    """
    names = [name for name in order if any(point.regularizer == name for point in points)]
    for index, name in enumerate(names):
        line = [point for point in points if point.regularizer == name]
        shift = index - (len(names) - 1) / 2
        at = [point.x * spread**shift if log else point.x + shift * spread for point in line]
        style = look(order.index(name))
        axes.errorbar(
            at,
            [100 * point.mean for point in line],
            yerr=error_bars(line),
            color=style.color,
            marker=style.marker,
            linestyle=style.dash,
            capsize=2.5,
            elinewidth=1.0,
            label=label(name),
        )


def error_bars(points: Sequence[Interval]) -> list[list[float]]:
    """Lengths of error bars below and above the means, [2, points], in percent; 0 where there is no interval."""
    below = [point.mean - (point.mean if point.low is None else point.low) for point in points]
    above = [(point.mean if point.high is None else point.high) - point.mean for point in points]
    return [[max(0.0, 100 * length) for length in lengths] for lengths in (below, above)]

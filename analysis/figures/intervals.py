"""Lines with intervals, as in accuracy against data and against attack strength."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from analysis.figures.style import label, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: What the caption of a figure with intervals says.
INTERVALS: Final = (
    "Points are means over confirmed runs, bars their 95 % intervals; n is the number of runs. Lines are shifted "
    "sideways a little."
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

    @property
    def n(self) -> int:
        """Number of runs."""


def draw_intervals(
    axes: Axes, points: Sequence[LinePoint], order: Sequence[str], *, log: bool = False, factor: float = 100
) -> None:
    """Draw one line with error bars per regularizer, over an x axis that is logarithmic where ``log``.

    ``factor``: with which values are drawn; 100 draws shares in percent.
    """
    names = [name for name in order if any(point.regularizer == name for point in points)]
    for index, name in enumerate(names):
        line = [point for point in points if point.regularizer == name]
        at = shifted([point.x for point in line], {point.x for point in points}, index, len(names), log=log)
        style = look(order.index(name))
        axes.errorbar(
            at,
            [factor * point.mean for point in line],
            yerr=error_bars(line, factor),
            color=style.color,
            marker=style.marker,
            linestyle=style.dash,
            capsize=2.5,
            elinewidth=1.0,
            label=label(name),
        )


class _OfRuns(Protocol):
    @property
    def n(self) -> int: ...


def shifted(x: Sequence[float], every: Collection[float], index: int, lines: int, *, log: bool) -> list[float]:
    """Where the line at ``index`` of so many ``lines`` has its points, so that bars do not hide each other.

    All lines together take less than a quarter of the smallest distance between two of the values in ``every``, and
    at most a twentieth of the axis: however many lines there are, a point stands nearest to its own value.

    >>> [round(at, 3) for at in shifted([0.0, 1.0], [0.0, 1.0], 2, 3, log=False)]
    [0.015, 1.015]
    """
    places = sorted(map(math.log, every)) if log else sorted(every)
    width = places[-1] - places[0] if len(places) > 1 else 1.0 if log else abs(places[0])
    nearest = min((after - before for before, after in pairwise(places)), default=width)
    step = min(0.05 * width, 0.24 * nearest, 0.015 * width * (lines - 1)) / max(1, lines - 1)
    shift = (index - (lines - 1) / 2) * step
    return [at * math.exp(shift) if log else at + shift for at in x]


def runs_text(points: Sequence[_OfRuns]) -> str:
    """How many runs the points of a panel are means of, for its title.

    >>> runs_text((CurvePoint("a", 0.0, 5, 0.9, None, None, ""), CurvePoint("b", 0.0, 4, 0.9, None, None, "")))
    'n = 4 to 5'
    """
    fewest, most = min(point.n for point in points), max(point.n for point in points)
    return f"n = {most}" if fewest == most else f"n = {fewest} to {most}"


def error_bars(points: Sequence[Interval], factor: float = 100) -> list[list[float]]:
    """Lengths of error bars below and above the means, [2, points], times ``factor``; 0 where there is no interval."""
    below = [point.mean - (point.mean if point.low is None else point.low) for point in points]
    above = [(point.mean if point.high is None else point.high) - point.mean for point in points]
    return [[max(0.0, factor * length) for length in lengths] for lengths in (below, above)]

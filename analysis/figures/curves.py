"""Lines with intervals: what accuracy against data, against attack and over epochs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from analysis.figures.style import label, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class CurvePoint(NamedTuple):
    """The mean over runs at one place of one curve. Accuracies are shares in [0, 1]."""

    regularizer: str
    x: float
    n: int  # runs
    mean: float
    low: float | None  # ends of the 95 % interval, or None with one run
    high: float | None
    method: str  # how the interval was made


class Interval(Protocol):
    """What ``draw_intervals`` needs of a point."""

    @property
    def regularizer(self) -> str:
        """Whose curve it is on."""

    @property
    def x(self) -> float:
        """Its place."""

    @property
    def mean(self) -> float:
        """Its height."""

    @property
    def low(self) -> float | None:
        """Ends of its interval."""

    @property
    def high(self) -> float | None:
        """Ends of its interval."""


def draw_intervals(
    axes: Axes, points: Sequence[Interval], order: Sequence[str], *, spread: float, log: bool = False
) -> None:
    """Draw one line with error bars per regularizer, in percent.

    ``spread``: how far neighbouring lines are shifted along x so that their bars do not hide each other; a
    factor where ``log``, else in units of x.
    """
    names = [name for name in order if any(point.regularizer == name for point in points)]
    for place, name in enumerate(names):
        mine = [point for point in points if point.regularizer == name]
        shift = place - (len(names) - 1) / 2
        at = [point.x * spread**shift if log else point.x + shift * spread for point in mine]
        below = [100 * (point.mean - (point.mean if point.low is None else point.low)) for point in mine]
        above = [100 * ((point.mean if point.high is None else point.high) - point.mean) for point in mine]
        style = look(order.index(name))
        axes.errorbar(
            at,
            [100 * point.mean for point in mine],
            yerr=[[max(0.0, value) for value in below], [max(0.0, value) for value in above]],
            color=style.color,
            marker=style.marker,
            linestyle=style.dash,
            capsize=2.5,
            elinewidth=1.0,
            label=label(name),
        )

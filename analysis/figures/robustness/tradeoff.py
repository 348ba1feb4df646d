"""Clean against robust accuracy: every regularizer, and the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import error_bars, runs_text
from analysis.figures.panels import grid, legend
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, label, look, styled
from analysis.formatting import attack_name
from analysis.measures.tradeoff import TradePoint, trades
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TradePanel(NamedTuple):
    """Clean against robust accuracy of all regularizers under one attack."""

    test: str
    norm: str | None
    fraction: float
    search_fraction: float
    data: str  # both fractions in words
    points: tuple[TradePoint, ...]


class TradeOff(NamedTuple):
    """Clean against robust accuracy, one panel an attack."""

    regularizers: tuple[str, ...]
    panels: tuple[TradePanel, ...]


def trade_off(source: Source) -> TradeOff:
    """Test accuracy against mean accuracy over epsilon with the Pareto front, at the largest fraction attacked."""
    data = snapshot(source)
    largest = max((each.setting for each in trades(data)), default=None)
    panels = (
        TradePanel(*each.attack, *each.setting, where(data, *each.setting), each.points)
        for each in trades(data)
        if each.setting == largest
    )
    return TradeOff(data.regularizers, tuple(panels))


@styled
def draw_trade_off(data: TradeOff) -> Figure:
    """Draw one panel an attack: points on the front filled and joined, dominated ones hollow."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        front = sorted((100 * point.clean, 100 * point.robust) for point in panel.points if point.front)
        if len(set(front)) > 1:
            ax.plot(*zip(*front, strict=True), color=INK, linewidth=1, alpha=0.5, linestyle=":", label="Pareto front")
        names = [point.regularizer for point in panel.points]
        for point in panel.points:
            style = look(data.regularizers.index(point.regularizer))
            x, y = 100 * point.clean, 100 * point.robust
            ax.errorbar(
                [x],
                [y],
                xerr=error_bars([_Interval(point.clean, point.clean_low, point.clean_high)]),
                yerr=error_bars([_Interval(point.robust, point.robust_low, point.robust_high)]),
                color=style.color,
                marker=style.marker,
                markerfacecolor=style.color if point.front else "none",
                markersize=7,
                elinewidth=0.8,
                linestyle="none",
            )
        for name in [name for name in data.regularizers if name in names]:
            color, marker, _ = look(data.regularizers.index(name))
            ax.plot([], [], color=color, marker=marker, markersize=7, linestyle="none", label=label(name))
        ax.set_title(f"{attack_name(panel.test, panel.norm)}\n{panel.data}, {runs_text(panel.points)}{_ties(panel)}")
        ax.set_xlabel("test accuracy, %")
        ax.set_ylabel("mean test accuracy over epsilon, %")
        legend(ax)
    return figure


def _ties(panel: TradePanel) -> str:
    """The methods of one place, of which only the last is seen, for the title."""
    places: dict[tuple[float, float], list[str]] = {}
    for point in panel.points:
        places.setdefault((point.clean, point.robust), []).append(point.regularizer)
    tied = [" = ".join(names) for names in places.values() if len(names) > 1]
    return f"\ntied: {'; '.join(tied)}" if tied else ""


class _Interval(NamedTuple):
    mean: float
    low: float | None
    high: float | None


TRADE_FIGURE: Final = FigureSpec(
    "trade-off",
    "Clean against robust test accuracy",
    "At the largest fraction; means over n runs with 95 % intervals. Filled: no other regularizer is as good in both "
    "and better in one; hollow: another one is.",
    trade_off,
    draw_trade_off,
)

"""Clean against robust accuracy, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analysis.figures.style import INK, grid, label, legend, look, styled
from analysis.tables import Source, snapshot
from analysis.text import where
from analysis.tradeoff import TradePoint, trades

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TradePanel(NamedTuple):
    """All regularizers under one attack."""

    test: str
    norm: str | None
    fraction: float
    search_fraction: float
    data: str  # the same in words
    points: tuple[TradePoint, ...]


class TradeOff(NamedTuple):
    """Clean against robust accuracy."""

    regularizers: tuple[str, ...]
    panels: tuple[TradePanel, ...]


def trade_off(source: Source) -> TradeOff:
    """Test accuracy against mean accuracy over epsilon with the Pareto front, at the largest fraction attacked."""
    data = snapshot(source)
    found = trades(data)
    largest = max((each.setting for each in found), default=None)
    found = tuple(each for each in found if each.setting == largest)
    return TradeOff(
        data.regularizers,
        tuple(
            TradePanel(*each.attack, *each.setting, where(data, *each.setting), each.points)
            for each in found
            if each.setting == largest
        ),
    )


@styled
def draw_trade_off(data: TradeOff) -> Figure:
    """One panel an attack: points on the front filled and joined, dominated ones hollow."""
    figure, axes = grid(len(data.panels))
    for panel, own in zip(data.panels, axes, strict=True):
        front = sorted((100 * point.clean, 100 * point.robust) for point in panel.points if point.front)
        own.plot(*zip(*front, strict=True), color=INK, linewidth=1, alpha=0.5, linestyle=":", label="Pareto front")
        for point in panel.points:
            style = look(data.regularizers.index(point.regularizer))
            x, y = 100 * point.clean, 100 * point.robust
            own.errorbar(
                [x],
                [y],
                xerr=_sides(point.clean, point.clean_low, point.clean_high),
                yerr=_sides(point.robust, point.robust_low, point.robust_high),
                color=style.color,
                marker=style.marker,
                markerfacecolor=style.color if point.front else "none",
                markersize=7,
                elinewidth=0.8,
                linestyle="none",
                label=label(point.regularizer) + ("" if point.front else " (dominated)"),
            )
        norm = f" ({panel.norm})" if panel.norm and panel.norm not in panel.test else ""
        own.set_title(f"{panel.test}{norm}\n{panel.data}")
        own.set_xlabel("test accuracy, %")
        own.set_ylabel("mean accuracy over epsilon, %")
        legend(own)
    return figure


def _sides(mean: float, low: float | None, high: float | None) -> list[list[float]]:
    if low is None or high is None:
        return [[0.0], [0.0]]
    return [[max(0.0, 100 * (mean - low))], [max(0.0, 100 * (high - mean))]]

"""Accuracy against the severity of each corruption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import INTERVALS, CurvePoint, draw_intervals, runs_text
from analysis.figures.panels import TICKS, grid, legend
from analysis.figures.spec import FigureSpec
from analysis.figures.style import styled
from analysis.measures.accuracy import Setting
from analysis.measures.attacks import CLEAN
from analysis.measures.corruptions import corrupted_images
from analysis.snapshot import Source, finite, snapshot
from analysis.statistics import share_interval
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SeverityPanel(NamedTuple):
    """Accuracy against severity under one corruption."""

    test: str
    fraction: float
    data: str  # the training data in words
    points: tuple[CurvePoint, ...]  # x is the severity; 0 is the clean images


class CorruptionSeverity(NamedTuple):
    """Accuracy of confirmed runs against the severity of each corruption."""

    regularizers: tuple[str, ...]
    panels: tuple[SeverityPanel, ...]


def corruption_severity(source: Source) -> CorruptionSeverity:
    """Mean accuracy over seeds at each severity of each corruption, at the largest fraction with its own strengths."""
    data = snapshot(source)
    corrupted = [row for row in data.robustness if row["severity"] is not None]
    if not corrupted:
        return CorruptionSeverity(data.regularizers, ())
    setting = max((row["fraction"], row["search_fraction"]) for row in corrupted)
    tests = sorted({row["test"] for row in corrupted})
    groups: dict[tuple[str, int, int], list[float]] = {}
    for row in data.robustness:
        if (row["fraction"], row["search_fraction"]) != setting:
            continue
        names = [row["test"]] if row["severity"] is not None else tests if row["test"] == CLEAN else []
        for test in names:
            key = (test, data.order(row["regularizer"]), row["severity"] or 0)
            groups.setdefault(key, []).extend(finite([row["accuracy"]]))
    panels = []
    for test in tests:
        points = [
            CurvePoint(data.regularizers[index], float(severity), *mean)
            for (kind, index, severity), values in sorted(groups.items())
            if kind == test
            for mean in [share_interval(values, corrupted_images(data).get(Setting(*setting)))]
            if mean is not None
        ]
        panels.append(SeverityPanel(test, setting[0], where(data, *setting), tuple(points)))
    return CorruptionSeverity(data.regularizers, tuple(panel for panel in panels if panel.points))


@styled
def draw_corruption_severity(data: CorruptionSeverity) -> Figure:
    """Draw one panel a corruption, one line a regularizer."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        draw_intervals(ax, panel.points, data.regularizers)
        ax.set_title(f"{panel.test}\n{panel.data}, {runs_text(panel.points)}")
        ax.set_xlabel("severity (0: clean)")
        ax.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
        ax.set_ylabel("test accuracy, %")
        legend(ax)
    return figure


CORRUPTION_FIGURE: Final = FigureSpec(
    "corruption-severity",
    "Test accuracy under corruptions",
    f"{INTERVALS} At the largest fraction.",
    corruption_severity,
    draw_corruption_severity,
)

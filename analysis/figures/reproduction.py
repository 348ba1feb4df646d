"""Published numbers beside measured ones, drawn; and measured accuracy against a hyperparameter."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from analysis.figures.intervals import CurvePoint, draw_intervals, error_bars
from analysis.figures.layout import SCREEN
from analysis.figures.panels import legend, scale_axis
from analysis.figures.spec import FigureSpec
from analysis.figures.style import Look, label, look, styled
from analysis.measures.reproduction.declared import Block
from analysis.measures.reproduction.runs import values_by_seed
from analysis.measures.reproduction.side_by_side import SideBySide
from analysis.snapshot import Snapshot
from analysis.statistics import Estimate, share_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Where an accuracy comes from.
Origin: TypeAlias = Literal["published", "measured as published", "picked on validation, last epoch"]
_LOOKS: Final[Mapping[Origin, Look]] = {
    "published": look(0),
    "measured as published": look(1),
    "picked on validation, last epoch": look(3),
}


class AccuracyPoint(NamedTuple):
    """One accuracy of one column of a published table; a share in [0, 1]."""

    column: str
    origin: Origin
    n: int  # runs
    mean: float
    low: float | None  # ends of the 95 % interval; None without one, as of most published numbers
    high: float | None


class AccuracyPanel(NamedTuple):
    """One row of a published table: a data set, a network, a part of the data and a statistic."""

    block: str
    statistic: str
    points: tuple[AccuracyPoint, ...]


class PublishedAndMeasured(NamedTuple):
    """Every accuracy of a published table beside the measured ones."""

    panels: tuple[AccuracyPanel, ...]


def published_and_measured(rows: Sequence[SideBySide]) -> PublishedAndMeasured:
    """The accuracies of ``rows`` by origin, a panel for each block and statistic that has a published number."""
    keys = dict.fromkeys((row.block, row.published.statistic) for row in rows)
    panels = (
        AccuracyPanel(
            block,
            statistic,
            tuple(
                point
                for row in rows
                if (row.block, row.published.statistic) == (block, statistic)
                for point in _points(row)
            ),
        )
        for block, statistic in keys
    )
    return PublishedAndMeasured(tuple(panel for panel in panels if panel.points))


def _points(row: SideBySide) -> list[AccuracyPoint]:
    number = row.published
    name = f"{number.method} {number.setting}".strip()
    points = []
    if number.accuracy is not None:
        half = None if number.deviation is None else 1.96 * number.deviation / number.trials**0.5
        ends = (None, None) if half is None else (number.accuracy - half, number.accuracy + half)
        points.append(AccuracyPoint(name, "published", number.trials, number.accuracy, *ends))
    if row.measured is not None:
        points.append(AccuracyPoint(name, "measured as published", *_numbers(row.measured.accuracy)))
    if row.validated is not None:
        points.append(AccuracyPoint(name, "picked on validation, last epoch", *_numbers(row.validated.accuracy)))
    return points


def _numbers(estimate: Estimate) -> tuple[int, float, float | None, float | None]:
    return estimate.n, estimate.mean, estimate.low, estimate.high


@styled
def draw_published_and_measured(numbers: PublishedAndMeasured) -> Figure:
    """Draw a panel for each block and statistic: columns below each other, accuracy in percent."""
    from matplotlib.figure import Figure

    most = max(len({point.column for point in panel.points}) for panel in numbers.panels)
    height = min(0.42 * max(3, most) + 0.6, 40.0)
    figure = Figure(figsize=(SCREEN.panel * min(2, len(numbers.panels)), height * ((len(numbers.panels) + 1) // 2)))
    for axes, panel in zip(_axes(figure, len(numbers.panels)), numbers.panels, strict=True):
        columns = list(dict.fromkeys(point.column for point in panel.points))
        for index, (origin, style) in enumerate(_LOOKS.items()):
            of_origin = [point for point in panel.points if point.origin == origin]
            if not of_origin:
                continue
            axes.errorbar(
                [100 * point.mean for point in of_origin],
                [columns.index(point.column) + 0.22 * (index - 1) for point in of_origin],
                xerr=error_bars(of_origin),
                color=style.color,
                marker=style.marker,
                markerfacecolor="none" if origin == "published" else style.color,
                linestyle="none",
                capsize=2.5,
                label=origin,
            )
        axes.set_yticks(range(len(columns)), [label("\n".join(textwrap.wrap(name, 22)[:3])) for name in columns])
        axes.set_ylim(len(columns) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("test accuracy, %")
        axes.set_title(f"{panel.block}\n{panel.statistic}")
        legend(axes)
    return figure


def _axes(figure: Figure, panels: int) -> list[Axes]:
    """One axes for each panel, two beside each other."""
    grid = list(figure.subplots((panels + 1) // 2, min(2, panels), squeeze=False).flat)
    for left_over in grid[panels:]:
        left_over.remove()
    return grid[:panels]


class SettingPanel(NamedTuple):
    """Accuracy against one hyperparameter in one block."""

    block: str
    x: str
    log: bool
    points: tuple[CurvePoint, ...]


class Settings(NamedTuple):
    """Accuracy against a hyperparameter, block by block."""

    statistic: str
    panels: tuple[SettingPanel, ...]


def settings(measured: Iterable[tuple[Block, Snapshot]]) -> Settings:
    """The declared curves of blocks, each with the study that was measured as published."""
    panels = []
    statistic = ""
    for block, data in measured:
        if block.curves is None:
            continue
        statistic = block.curves.statistic
        size = block.trained_size or next(iter(block.sizes), "1")
        points = []
        for line in block.curves.lines:
            for x, method in line.points:
                values = values_by_seed(data, method, size, block.curves.statistic)
                estimate = share_interval(list(values.values()))
                if estimate is not None:
                    points.append(CurvePoint(line.name, x, *estimate))
        if points:
            panels.append(SettingPanel(block.name, block.curves.x, block.curves.log, tuple(points)))
    return Settings(statistic, tuple(panels))


@styled
def draw_settings(numbers: Settings) -> Figure:
    """Draw one panel for each block, a line for each method."""
    from matplotlib.figure import Figure

    count = len(numbers.panels)
    figure = Figure(figsize=(SCREEN.panel * min(2, count), 3.0 * ((count + 1) // 2)))
    for axes, panel in zip(_axes(figure, count), numbers.panels, strict=True):
        names = list(dict.fromkeys(point.regularizer for point in panel.points))
        draw_intervals(axes, panel.points, names, log=panel.log)
        scale_axis(axes, "log" if panel.log else "linear", [point.x for point in panel.points])
        axes.set_xlabel(panel.x)
        axes.set_ylabel("test accuracy, %")
        axes.set_title(panel.block)
        legend(axes)
    return figure


ACCURACY_FIGURE: Final = FigureSpec(
    "published-and-measured",
    "Published and measured accuracy",
    "Hollow circles are the paper's numbers, with 1.96 standard errors where the paper gives a deviation. Squares are "
    "measured here in the paper's statistic, with the setting picked as in the paper; diamonds with the setting that "
    "validation images pick, tested once after the last epoch. Bars are 95 % intervals over seeds.",
    published_and_measured,
    draw_published_and_measured,
)
SETTING_FIGURE: Final = FigureSpec(
    "settings",
    "Accuracy against the hyperparameter",
    "Points are means over seeds in the paper's statistic, bars their 95 % intervals. Lines are shifted sideways a "
    "little.",
    settings,
    draw_settings,
)

"""What more training data does: accuracy, gap and gain against the amount of data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import INTERVALS, CurvePoint, draw_intervals, runs_text
from analysis.figures.panels import data_axis, grid, legend
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, styled
from analysis.measures.results import ResultRow, result_table
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Comparison, Estimate
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FractionPanel(NamedTuple):
    """The curves of one measure against the amount of data, for one way to pick strengths."""

    search_fraction: float | None  # the fraction from which strengths were carried; None: searched at each one
    data: str  # in words, from which data strengths are
    points: tuple[CurvePoint, ...]  # x is the share of the training images, or images a class


class DataFraction(NamedTuple):
    """One measure of the confirmed runs against the amount of data, in the unit of the metric."""

    measure: str  # with its unit
    per_class: bool  # x is training images a class
    regularizers: tuple[str, ...]
    low: float  # of all panels, which have one axis so that they can be compared
    high: float
    panels: tuple[FractionPanel, ...]
    metric: MetricText = ACCURACY_TEXT


def data_fraction(source: Source) -> DataFraction:
    """Mean of the metric on the test images over seeds at each data fraction, with its interval.

    Strengths searched anew at each fraction and strengths carried over from one are panels of their ax.
    """
    data = snapshot(source)
    return _measure(data, metric_text(data).heading("test"), lambda row: row.test_accuracy)


def generalization_gap(source: Source) -> DataFraction:
    """Training accuracy minus test accuracy at each data fraction, with its interval, as in ``data_fraction``."""
    data = snapshot(source)
    return _measure(
        data, "generalization gap, points", lambda row: row.generalization_gap if data.metric.is_accuracy else None
    )


def data_gain(source: Source) -> DataFraction:
    """Difference to the baseline at each data fraction, paired by seed, with its interval, as in ``data_fraction``."""
    data = snapshot(source)
    text = metric_text(data)
    what = "gain over the baseline" if text.is_accuracy else f"test {text.words} less the baseline's"
    return _measure(data, text.of_difference(what), lambda row: row.difference)


def _measure(data: Snapshot, measure: str, pick: Callable[[ResultRow], Estimate | Comparison | None]) -> DataFraction:
    rows = result_table(data)
    carried = sorted({row.search_fraction for row in rows if row.search_fraction != row.fraction}, reverse=True)
    searched = [row for row in rows if row.search_fraction == row.fraction]
    per_class = bool(rows) and all(row.images_per_class is not None for row in rows)
    # One searched fraction is no curve, and its point stands in the panel of what is carried over from it.
    single = bool(carried) and len({row.fraction for row in searched}) == 1
    panels = (
        [] if single else [FractionPanel(None, "strength searched at each size", _points(searched, pick, per_class))]
    )
    for at in carried:
        rows_carried = [row for row in rows if row.search_fraction == at]
        panels.append(FractionPanel(at, f"strength from {where(data, at)}", _points(rows_carried, pick, per_class)))
    panels = [panel for panel in panels if panel.points]
    ends = [end for panel in panels for point in panel.points for end in (point.mean, point.low, point.high)]
    numbers = [end for end in ends if end is not None]
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    return DataFraction(measure, per_class, data.regularizers, low, high, tuple(panels), metric_text(data))


def _points(
    rows: list[ResultRow], pick: Callable[[ResultRow], Estimate | Comparison | None], per_class: bool
) -> tuple[CurvePoint, ...]:
    points = []
    for row in rows:
        value = pick(row)
        if value is not None:
            x = float(row.images_per_class or 0) if per_class else row.fraction
            points.append(CurvePoint(row.regularizer, x, value.n, value.mean, value.low, value.high, value.method))
    return tuple(sorted(points, key=lambda point: (point.regularizer, point.x)))


@styled
def draw_data_fraction(data: DataFraction) -> Figure:
    """Draw one line a regularizer over a log axis of the amount of data, one panel a way to pick strengths."""
    figure, axes = grid(len(data.panels))
    factor = data.metric.factor
    margin = 0.06 * factor * (data.high - data.low)
    margin = max(margin, 0.006) if data.metric.is_accuracy else margin or 0.06 * (abs(data.high) or 1.0)
    for panel, ax in zip(data.panels, axes, strict=True):
        ax.set_xscale("log")
        data_axis(ax, sorted({point.x for point in panel.points}), per_class=data.per_class)
        draw_intervals(ax, panel.points, data.regularizers, log=True, factor=factor)
        if data.low < 0 < data.high:
            ax.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
        ax.set_ylim(factor * data.low - margin, factor * data.high + margin)
        ax.set_ylabel(data.measure)
        ax.set_title(f"{panel.data}\n{runs_text(panel.points)}")
        legend(ax)
    return figure


DATA_FIGURE: Final = FigureSpec(
    "data-fraction", "Test accuracy against data", INTERVALS, data_fraction, draw_data_fraction
)
GAIN_FIGURE: Final = FigureSpec(
    "data-gain",
    "Gain in test accuracy over the baseline against data",
    "Mean difference of test accuracy over n pairs of runs of the same seed, bars its 95 % interval; lines are "
    "shifted sideways a little.",
    data_gain,
    draw_data_fraction,
)
GAP_FIGURE: Final = FigureSpec(
    "generalization-gap",
    "Generalization gap, training less test accuracy, against data",
    INTERVALS,
    generalization_gap,
    draw_data_fraction,
)

"""Tuning curves: the best value so far against the epochs, and the seconds, that a search had spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from analysis.figures.panels import grid, legend, marks
from analysis.figures.spec import FigureSpec
from analysis.figures.style import label, look, styled
from analysis.formatting import scored_on
from analysis.measures.search.tuning import BAND_COVERS, TuningPoint, timed_tuning_points, tuning_points
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COVERS: Final = [str(of_a_hundred) for of_a_hundred in BAND_COVERS.values()]


class TuningPanel(NamedTuple):
    """The tuning curves of the searches at one data fraction, against epochs or seconds."""

    fraction: float
    data: str  # the fraction in words
    against: Literal["epochs", "seconds"]
    points: tuple[TuningPoint, ...]


class TuningCurve(NamedTuple):
    """Best validation value so far against epochs and seconds spent."""

    picked_on_test: bool
    regularizers: tuple[str, ...]
    expected: bool  # whether the models of searches say what they expect of trials
    panels: tuple[TuningPanel, ...]
    metric: MetricText = ACCURACY_TEXT


def tuning_curve(source: Source) -> TuningCurve:
    """Best value so far against epochs and seconds spent, in the order in which trials were asked for, with bands.

    Trials count with what the search's model expects of them, where it has one. Else only complete trials can be
    picked, so only they raise the curve; pruned and diverged ones cost epochs.
    """
    data = snapshot(source)
    timed = timed_tuning_points(data)
    panels = []
    for fraction, points in tuning_points(data).items():
        panels.append(TuningPanel(fraction, where(data, fraction), "epochs", points))
        if any(point.seconds > 0 for point in timed[fraction]):
            panels.append(TuningPanel(fraction, where(data, fraction), "seconds", timed[fraction]))
    with_points = tuple(panel for panel in panels if panel.points)
    return TuningCurve(data.picked_on_test, data.regularizers, bool(data.expected), with_points, metric_text(data))


@styled
def draw_tuning_curve(data: TuningCurve) -> Figure:
    """Draw one panel a data fraction and kind of cost, one step line and one band a regularizer."""
    figure, axes = grid(len(data.panels))
    factor = data.metric.factor
    for panel, ax in zip(data.panels, axes, strict=True):
        for index, name in enumerate(data.regularizers):
            points = [point for point in panel.points if point.regularizer == name]
            style = look(index)
            band = [point for point in points if point.low is not None and point.high is not None]
            ax.fill_between(
                [getattr(point, panel.against) for point in band],
                [factor * (point.low or 0.0) for point in band],
                [factor * (point.high or 0.0) for point in band],
                color=style.color,
                alpha=0.12,
                linewidth=0,
                step="post",
            )
            steps = [(getattr(point, panel.against), factor * point.best) for point in points if point.best is not None]
            if not steps:
                continue
            x, y = zip(*steps, strict=True)
            ax.step(
                x,
                y,
                where="post",
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                markevery=marks(len(steps), index % 3),
                label=label(name),
            )
        lines = [factor * point.best for point in panel.points if point.best is not None]
        if lines:  # the bands of the first trials reach far below; they do not set the axis
            spread = max(lines) - min(lines)
            margin = 0.08 * (max(spread, 0.1) if data.metric.is_accuracy else spread or abs(lines[0]) or 1.0)
            ax.set_ylim(min(lines) - margin, max(lines) + margin)
        ax.set_title(panel.data)
        ax.set_xlabel(f"{panel.against} of training spent on the search")
        expected = "expected " if data.expected else ""
        unit = f", {data.metric.unit}" if data.metric.unit else ""
        on = scored_on(picked_on_test=data.picked_on_test)
        ax.set_ylabel(f"best {expected}{on} {data.metric.words} so far{unit}")
        legend(ax)
    return figure


TUNING_FIGURE: Final = FigureSpec(
    "tuning-curve",
    "What the search bought, in {scored} accuracy",
    "Best trial so far against the epochs, and the seconds of training, that the search of each regularizer had spent "
    "on all its trials. Best is what the search's model expects of a trial in the end, or the value of a complete one "
    "where there is no model. Band: the middle 95 % with these trials drawn in random order, with replacement. It "
    f"shows luck in the order, and is no interval for another search: of random searches as long, {', '.join(_COVERS)} "
    "of 100 have their best so far in it at a quarter, a half, three quarters and the whole of the budget.",
    tuning_curve,
    draw_tuning_curve,
)

"""Two-parameter maps: the metric over the strength and a second hyperparameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analysis.figures.panels import grid, legend, rings, scale_axis, thin
from analysis.figures.spec import FigureSpec
from analysis.figures.style import COLOURS, INK, styled
from analysis.measures.outcomes import complete_value
from analysis.measures.search.model import SearchModel, search_models
from analysis.measures.search.response import CATEGORY, LINEAR, parameters, scale_of, winners
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Snapshot, Source, finite, finite_or_none, snapshot
from analysis.wording import where
from tune_reg.store import TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Classes of trials, best first: upper ends of their ranks.
_CLASSES: Final = (("best tenth", 0.1), ("best quarter", 0.25), ("better half", 0.5), ("worse half", 1.0))
#: Shape and size tell the classes apart as well as colour.
_LOOKS: Final = (("*", 90, COLOURS[1]), ("D", 34, COLOURS[3]), ("o", 22, COLOURS[0]), (".", 22, INK))

_WITH_VALUE: Final = ("complete", "pruned")


class PairPoint(NamedTuple):
    """One trial at its values of two hyperparameters."""

    trial: int
    state: str
    x: float
    y: float
    value: float | None  # last validation value, in the unit of the metric; None where diverged or failed
    expected: float | None  # at the end of its training, by the model; where there is none, a complete trial's value
    rank: float | None  # share of the trials with an expected value that are at least as good
    winner: bool


class PairPanel(NamedTuple):
    """The trials of one regularizer over two hyperparameters."""

    regularizer: str
    fraction: float
    data: str  # the fraction in words
    x_parameter: str
    y_parameter: str
    x_scale: str
    y_scale: str
    points: tuple[PairPoint, ...]


class PairMaps(NamedTuple):
    """The metric over pairs of hyperparameters."""

    panels: tuple[PairPanel, ...]
    metric: MetricText = ACCURACY_TEXT


def pair_maps(source: Source) -> PairMaps:
    """The strength against each other numeric hyperparameter, at the largest fraction searched."""
    data = snapshot(source)
    panels = []
    for name in data.regularizers:
        rows = data.trials_of(name)
        first, *others = parameters(data, name) or [""]
        largest = max((row["fraction"] for row in rows), default=0.0)
        rows = [row for row in rows if row["fraction"] == largest]
        panels += [_panel(data, name, rows, first, other) for other in others]
    return PairMaps(tuple(panel for panel in panels if panel is not None), metric_text(data))


def _panel(data: Snapshot, name: str, rows: list[TrialRow], x: str, y: str) -> PairPanel | None:
    scales = scale_of(data, name, x), scale_of(data, name, y)
    both = [row for row in rows if row["params"].get(x) is not None and row["params"].get(y) is not None]
    if CATEGORY in scales or len(both) < 2 or any(len({row["params"][key] for row in both}) < 2 for key in (x, y)):
        return None
    fraction = both[0]["fraction"]
    winner = winners(data, name).get(fraction)
    model = search_models(data).get((name, fraction))
    estimates = model.estimates if isinstance(model, SearchModel) else None
    expected = [
        complete_value(row)
        if estimates is None
        else estimates[row["trial"]].value
        if row["trial"] in estimates and row["state"] in _WITH_VALUE
        else None
        for row in both
    ]
    score = data.metric.score
    scores = np.sort([score(value) for value in finite(expected)])
    points = []
    for row, value in zip(both, expected, strict=True):
        rank = None if value is None else float(len(scores) - np.searchsorted(scores, score(value))) / len(scores)
        at = (float(row["params"][x]), float(row["params"][y]))
        last = finite_or_none(row["value"]) if row["state"] in _WITH_VALUE else None
        points.append(PairPoint(row["trial"], row["state"], *at, last, value, rank, row["trial"] == winner))
    return PairPanel(name, fraction, where(data, fraction), x, y, *scales, tuple(points))


@styled
def draw_pair_maps(data: PairMaps) -> Figure:
    """Draw one panel a pair: the better a trial, the larger and the more pointed its marker. At most 300 of a kind."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        _draw(ax, panel, data.metric)
        ax.set_title(f"{panel.regularizer}, {panel.data}")
        ax.set_xlabel(panel.x_parameter)
        ax.set_ylabel(panel.y_parameter)
        legend(ax)
    return figure


def _draw(axes: Axes, panel: PairPanel, text: MetricText) -> None:
    for vertical, scale, values in (
        (False, panel.x_scale, [point.x for point in panel.points]),
        (True, panel.y_scale, [point.y for point in panel.points]),
    ):
        if scale != LINEAR:
            scale_axis(axes, scale, values, vertical=vertical)
    without = f"no {text.words}"
    for states, marker, name in (
        (("pruned",), "o", "stopped early"),
        (("diverged", "failed"), "x", without),
    ):
        group = thin([point for point in panel.points if point.state in states and point.rank is None])
        if group:
            axes.scatter(
                [point.x for point in group],
                [point.y for point in group],
                s=12,
                marker=marker,
                linewidths=0.7,
                alpha=0.45,
                edgecolors=INK if marker == "o" else None,
                facecolors="none" if marker == "o" else INK,
                label=name,
            )
    above = 0.0
    for (name, share), (marker, size, color) in zip(_CLASSES, _LOOKS, strict=True):
        group = thin([p for p in panel.points if p.rank is not None and above < p.rank <= share])
        above = share
        if group:
            values = [text.factor * (point.expected or 0.0) for point in group]
            worst = max(values) if text.minimized else min(values)
            bound = text.with_unit(f"{worst:.1f}" if text.is_accuracy else f"{worst:{text.form}}")
            axes.scatter(
                [point.x for point in group],
                [point.y for point in group],
                s=size,
                marker=marker,
                color=color,
                linewidths=0,
                zorder=3 - share,
                label=f"{name}, {'≤' if text.minimized else '≥'} {bound}",
            )
    winner = [point for point in panel.points if point.winner]
    if winner:
        rings(axes, [point.x for point in winner], [point.y for point in winner], name="winner", size=170)


PAIR_FIGURE: Final = FigureSpec(
    "pair-maps",
    "Two hyperparameters at once, by {scored} accuracy",
    "The strength and each other numeric hyperparameter, at the largest fraction searched. Trials in classes by what "
    "the model of final values expects of them at the end, or, without a model, by the accuracy of those trained to "
    "the end: the better, the larger the marker.",
    pair_maps,
    draw_pair_maps,
)

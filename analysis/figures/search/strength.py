"""Each hyperparameter against the metric: every trial of the search, and the curve through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis.figures.panels import grid, legend, rings, scale_axis, thin
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, Look, label, look, styled
from analysis.formatting import scored_on
from analysis.measures.search.model import Estimate, SearchModel, search_models
from analysis.measures.search.response import CATEGORY, LINEAR, LOG, parameters, responses, scale_of, space_of, winners
from analysis.measures.search.spaces import DEPENDS, all_spaces
from analysis.metric_text import ACCURACY_TEXT, MetricText, metric_text
from analysis.snapshot import Snapshot, Source, finite, finite_or_none, mapping, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRIAL: Final = "trial"
CURVE: Final = "curve"
AVERAGE: Final = "average"
PLATEAU: Final = "plateau"

#: So many trials or more are drawn small.
_MANY: Final = 100
#: How far the interval of a name stands beside its trials.
_BESIDE: Final = 0.06

#: Trials from which on some may be left below the axis.
_FEWEST: Final = 8
#: The least share of the range of the trials that the axis shows.
_LEAST_SHOWN: Final = 0.06
#: A curve is drawn no further from a trial, as a share of the space.
_NEAR: Final = 0.1
#: Height of the strip for trials without a value, as a share of the panel.
_STRIP: Final = 0.12


class StrengthPoint(NamedTuple):
    """One trial, one point of a curve, or one value or end of a plateau."""

    kind: str  # TRIAL, CURVE, AVERAGE or PLATEAU
    fraction: float
    data: str  # the fraction in words
    trial: int | None
    state: str | None  # complete, pruned, diverged, failed
    strength: float | str
    value: float | None  # last validation value, of accuracies a share in [0, 1]; None where diverged or failed
    low: float | None  # 95 % band of the curve
    high: float | None
    winner: bool
    expected: float | None = None  # of a trial: what the model expects at the end of its training
    deviation: float | None = None

    @property
    def shown(self) -> float | None:
        """The value at which a trial is drawn: of one that was stopped the expected one, where there is a model."""
        return self.expected if self.state == "pruned" and self.expected is not None else self.value


class StrengthPanel(NamedTuple):
    """All trials of one regularizer along one hyperparameter."""

    regularizer: str
    parameter: str  # on the x axis
    scale: str  # LINEAR, LOG, SYMLOG or CATEGORY
    low: float | None  # bounds of the space, the widest where trials differ in them
    high: float | None
    no_winner: str  # why the winner of a search is not drawn; empty where each one is
    points: tuple[StrengthPoint, ...]


class StrengthResponse(NamedTuple):
    """Hyperparameters against the metric by which they were picked."""

    picked_on_test: bool
    fractions: tuple[float, ...]
    panels: tuple[StrengthPanel, ...]
    moving: frozenset[tuple[str, str]] = frozenset()  # regularizers and parameters whose range trials differ in
    metric: MetricText = ACCURACY_TEXT


def strength_response(source: Source) -> StrengthResponse:
    """Every trial as a point with the curves of ``responses``, by regularizer and searched hyperparameter.

    The strength comes first: the parameter that the provenance names, else the first one searched over numbers.
    Trials that lack the parameter are left out.
    """
    data = snapshot(source)
    fractions = tuple(sorted({row["fraction"] for row in data.trials}, reverse=True))
    panels = [_panel(data, name, key) for name in data.regularizers for key in parameters(data, name)]
    moving = frozenset(
        (name, key)
        for name, spaces in all_spaces(data).items()
        for key, description in spaces.items()
        if mapping(description).get(DEPENDS)
    )
    varied = tuple(panel for panel in panels if _varied(panel))
    return StrengthResponse(data.picked_on_test, fractions, varied, moving, metric_text(data))


def _expected(data: Snapshot, name: str, fraction: float) -> dict[int, Estimate]:
    model = search_models(data).get((name, fraction))
    return model.estimates if isinstance(model, SearchModel) else {}


def _varied(panel: StrengthPanel) -> bool:
    """Whether trials had more than one value: a fixed one says nothing of a response."""
    return len({point.strength for point in panel.points}) > 1


def _panel(data: Snapshot, name: str, parameter: str) -> StrengthPanel:
    winning = winners(data, name)
    expected = {fraction: _expected(data, name, fraction) for fraction in winning}
    scale = scale_of(data, name, parameter)
    points = []
    for row in data.trials:
        value = row["params"].get(parameter) if row["regularizer"] == name else None
        if value is None:
            continue
        points.append(
            StrengthPoint(
                TRIAL,
                row["fraction"],
                where(data, row["fraction"]),
                row["trial"],
                row["state"],
                str(value) if scale == CATEGORY else float(value),
                finite_or_none(row["value"]) if row["state"] in ("complete", "pruned") else None,
                None,
                None,
                winning.get(row["fraction"]) == row["trial"],
                *expected.get(row["fraction"], {}).get(row["trial"], (None, None)),
            )
        )
    for optimum, curve, average, _ in responses(data):
        if (optimum.regularizer, optimum.parameter) != (name, parameter) or optimum.accuracy is None:
            continue
        at = (optimum.fraction, where(data, optimum.fraction), None, None)
        for kind, line in ((CURVE, curve), (AVERAGE, average)):
            points += [StrengthPoint(kind, *at, p.x, p.mean, p.low, p.high, winner=False) for p in line]
        ends = finite([optimum.plateau_low, optimum.plateau_high])
        points += [StrengthPoint(PLATEAU, *at, end, optimum.accuracy, None, None, winner=False) for end in ends]
    space = space_of(data, name, parameter)
    low, high = (space.low, space.high) if space else (None, None)
    return StrengthPanel(name, parameter, scale, low, high, _no_winner(data, parameter, winning, points), tuple(points))


def _no_winner(data: Snapshot, parameter: str, winning: Collection[float], points: list[StrengthPoint]) -> str:
    """Why the winner of a search is not among the trials of a panel, for its title.

    ``winning``: the fractions whose search has a winner.
    """
    drawn = {point.fraction for point in points if point.winner}
    lacking = [fraction for fraction in sorted(winning, reverse=True) if fraction not in drawn]
    of = f" on {', '.join(where(data, fraction) for fraction in lacking)}" if len(winning) > 1 else ""
    return f"winner{of} not drawn: it has no {parameter}" if lacking else ""


@styled
def draw_strength_response(data: StrengthResponse) -> Figure:
    """Draw one panel a hyperparameter: complete trials filled, stopped ones hollow, the winner ringed, a curve a band.

    Trials without a value stand in a strip at the bottom, which has no height to read. A panel shows at most 300
    trials of a state and fraction. Trials far below the others are drawn as triangles on the axis.
    """
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        _draw(ax, panel._replace(points=tuple(_in_unit(point, data.metric) for point in panel.points)), data)
    return figure


def _in_unit(point: StrengthPoint, text: MetricText) -> StrengthPoint:
    """A point as it is drawn: accuracies in percent, and a trial with the ends of its deviation."""
    if point.kind == TRIAL and point.shown is not None:
        deviation = point.deviation or 0.0
        point = point._replace(low=point.shown - deviation, high=point.shown + deviation)
    numbers = (point.value, point.low, point.high, point.expected)
    value, low, high, expected = (None if number is None else text.factor * number for number in numbers)
    return point._replace(value=value, low=low, high=high, expected=expected)


def _draw(axes: Axes, panel: StrengthPanel, data: StrengthResponse) -> None:
    trials = [point for point in panel.points if point.kind == TRIAL]
    names = sorted({str(point.strength) for point in panel.points}) if panel.scale == CATEGORY else []

    def at(point: StrengthPoint) -> float:
        if isinstance(point.strength, float):
            return point.strength
        # The fractions stand beside each other.
        offset = data.fractions.index(point.fraction) - (len(data.fractions) - 1) / 2
        return names.index(point.strength) + 0.6 * offset / len(data.fractions)

    floor = _floor(trials, minimized=data.metric.minimized)

    def beyond(point: StrengthPoint) -> bool:
        """Whether a trial is drawn at the end of the axis, as it is far worse than the others."""
        return point.shown is not None and (point.shown > floor if data.metric.minimized else point.shown < floor)

    _scale_axis(axes, panel, names)
    for index, fraction in enumerate(data.fractions):
        of_fraction = [p for p in trials if p.fraction == fraction and p.shown is not None and not beyond(p)]
        _stopped(axes, [point for point in of_fraction if point.state == "pruned"], at, look(index))
        _complete(axes, [point for point in of_fraction if point.state == "complete"], at, look(index))
    lower = thin([point for point in trials if beyond(point)])
    if lower:
        bottom = axes.get_ylim()[data.metric.minimized]
        axes.scatter(
            [at(point) for point in lower],
            [bottom] * len(lower),
            s=30,
            marker=6 if data.metric.minimized else 7,  # a triangle that points to the end of the axis
            color=INK,
            linewidths=0,
            alpha=0.6,
            label=f"{'above' if data.metric.minimized else 'below'} the axis",
        )
    # The band may be far wider than the trials where these are few; it does not set the axis.
    limits = axes.get_ylim()
    for index, fraction in enumerate(data.fractions):
        of_fraction = [point for point in panel.points if point.fraction == fraction]
        if panel.scale == CATEGORY:
            _bars(axes, of_fraction, at, look(index).color)
        else:
            _curve(axes, _supported(panel, of_fraction), *look(index)[::2])
    axes.set_ylim(limits)
    winners = [(at(point), point.shown) for point in trials if point.winner and point.shown is not None]
    if winners:
        x, y = zip(*winners, strict=True)
        rings(axes, x, y, name="winner", size=130).set_clip_on(False)
    failures = [(at(point), str(point.state)) for point in trials if point.value is None]
    _strip(axes, failures, data.metric.words, values=len(failures) < len(trials))
    axes.set_title(f"{panel.regularizer}\n{panel.no_winner}" if panel.no_winner else panel.regularizer)
    moving = (panel.regularizer, panel.parameter) in data.moving
    axes.set_xlabel(f"{panel.parameter} (dotted: its widest range)" if moving else panel.parameter)
    axes.set_ylabel(data.metric.heading(scored_on(picked_on_test=data.picked_on_test)))
    legend(axes)


def _supported(panel: StrengthPanel, points: list[StrengthPoint]) -> list[StrengthPoint]:
    """The points of a panel and fraction, without the values of the curves to which no trial is near."""
    if panel.scale not in (LINEAR, LOG):
        return points

    def coordinate(value: float | str) -> float:
        return math.log(float(value)) if panel.scale == LOG else float(value)

    tried = [coordinate(point.strength) for point in points if point.kind == TRIAL]
    if not tried:
        return points
    bounds = [coordinate(end) for end in (panel.low, panel.high) if end is not None and (end > 0 or panel.scale != LOG)]
    near = _NEAR * (max(tried + bounds) - min(tried + bounds))
    return [
        point._replace(value=math.nan, low=math.nan, high=math.nan)
        if point.kind in (CURVE, AVERAGE) and min(abs(coordinate(point.strength) - at) for at in tried) > near
        else point
        for point in points
    ]


def _complete(axes: Axes, points: list[StrengthPoint], at: Callable[[StrengthPoint], float], style: Look) -> None:
    points = thin(points)
    if points:
        heights = [point.value for point in points]
        _dots(axes, list(map(at, points)), heights, style, label(points[0].data), color=style.color)


def _stopped(axes: Axes, points: list[StrengthPoint], at: Callable[[StrengthPoint], float], style: Look) -> None:
    points = thin(points)
    if not points:
        return
    few = len(points) < _MANY
    name = "stopped early" if points[0].expected is None else "stopped, as expected"
    heights = [point.shown for point in points]
    _dots(axes, list(map(at, points)), heights, style, name, facecolors="none", edgecolors=style.color)
    limits = axes.get_ylim()
    axes.vlines(
        [at(point) for point in points],
        [point.low or 0.0 for point in points],
        [point.high or 0.0 for point in points],
        color=style.color,
        linewidth=0.7,
        alpha=0.5 if few else 0.2,
    )
    axes.set_ylim(limits)  # the doubtful ones do not set the axis
    axes.autoscale(True, axis="y")


def _dots(axes: Axes, x: list[float], heights: list[float | None], style: Look, name: str, **colors: Any) -> None:
    """Trials as dots, smaller and paler where there are many."""
    few = len(x) < _MANY
    axes.scatter(
        x,
        [height or 0.0 for height in heights],
        s=24 if few else 9,
        marker=style.marker,
        linewidths=1.0 if few else 0.6,
        alpha=0.9 if few else 0.5,
        label=name,
        **colors,
    )


def _floor(trials: list[StrengthPoint], *, minimized: bool) -> float:
    """The worst value that is drawn as it is: a few far off, at chance say, would flatten all others.

    The axis is at most three times as high as the better two thirds of the trials are, and holds the winners.
    """
    sign = -1 if minimized else 1
    scores = sorted(sign * point.shown for point in trials if point.shown is not None)
    if len(scores) < _FEWEST:
        return sign * -math.inf
    best, third = scores[-1], scores[len(scores) // 3]
    winners = [sign * point.shown for point in trials if point.winner and point.shown is not None]
    floor = min([third, *winners, best - max(3 * (best - third), _LEAST_SHOWN * (best - scores[0]))])
    return sign * (floor if floor > scores[0] else -math.inf)


def _curve(axes: Axes, points: list[StrengthPoint], color: str, dash: str) -> None:
    line = [point for point in points if point.kind == CURVE]
    if not line:
        return
    x = [float(point.strength) for point in line]
    low, high = ([end or 0.0 for end in ends] for ends in zip(*((p.low, p.high) for p in line), strict=True))
    axes.fill_between(x, low, high, color=color, alpha=0.13, linewidth=0)
    axes.plot(x, [point.value or 0.0 for point in line], color=color, linestyle=dash, linewidth=1.3)
    average = [point for point in points if point.kind == AVERAGE]
    axes.plot(
        [float(point.strength) for point in average],
        [point.value or 0.0 for point in average],
        color=color,
        linestyle=(0, (1, 1.5)),
        linewidth=1.0,
        label="mean over the others" if average else None,
    )
    plateau = [point for point in points if point.kind == PLATEAU]
    axes.plot(
        [float(point.strength) for point in plateau],
        [point.value or 0.0 for point in plateau],
        color=color,
        linewidth=5,
        alpha=0.35,
        solid_capstyle="butt",
        label="plateau",
    )


def _bars(axes: Axes, points: list[StrengthPoint], at: Callable[[StrengthPoint], float], color: str) -> None:
    """The curve of a hyperparameter that takes names: a bar and its interval a name."""
    line = [point for point in points if point.kind == CURVE]
    x = [at(point) + _BESIDE for point in line]
    y = [point.value or 0.0 for point in line]
    low, high = [point.low or 0.0 for point in line], [point.high or 0.0 for point in line]
    axes.vlines(x, low, high, color=color, linewidth=5, alpha=0.25)
    axes.plot(x, y, color=color, linestyle="none", marker="_", markersize=11)


def _scale_axis(axes: Axes, panel: StrengthPanel, categories: list[str]) -> None:
    if panel.scale == CATEGORY:
        axes.set_xticks(range(len(categories)), [label(name) for name in categories])
        axes.set_xlim(-0.5, len(categories) - 0.5)
        return
    bounds = [bound for bound in (panel.low, panel.high) if bound is not None and (bound > 0 or panel.scale != LOG)]
    values = [*bounds, *(point.strength for point in panel.points if isinstance(point.strength, float))]
    scale_axis(axes, panel.scale, values)
    if panel.scale == LINEAR:
        # A single value has no width of its own to take a margin from.
        margin = 0.05 * (max(values) - min(values)) or 0.5
        axes.set_xlim(min(values) - margin, max(values) + margin)
    for bound in bounds:
        axes.axvline(bound, color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (1, 2)))


def _strip(axes: Axes, failures: list[tuple[float, str]], words: str, *, values: bool) -> None:
    if not failures:
        return
    # The strip is added below the values: the axis is stretched down, and its ticks end where values end.
    low, high = axes.get_ylim() if values else (0.0, 1.0)
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high] if values else []
    bottom = low - (high - low) * _STRIP / (1 - _STRIP)
    axes.set_ylim(bottom, high)
    axes.set_yticks(ticks)
    axes.axhspan(bottom, low, color=INK, alpha=0.07, linewidth=0)
    for state, marker in (("diverged", "x"), ("failed", "1")):
        values_at = thin([x for x, how in failures if (how == "diverged") == (state == "diverged")])
        if values_at:
            axes.scatter(
                values_at,
                [_STRIP / 2] * len(values_at),
                s=30,
                marker=marker,
                color=INK,
                linewidths=1.2,
                transform=axes.get_xaxis_transform(),
                label=f"{state} (no {words})",
            )


STRENGTH_FIGURE: Final = FigureSpec(
    "strength-response",
    "Strength and other hyperparameters against {scored} accuracy",
    "Every trial of the search, at most 300 of a kind. Filled: trained to the end; hollow: stopped early, at what the "
    "model of final values expects of it at the end, ± one standard deviation; ringed: the winner; triangles on the "
    "axis lie below it. Trials without an accuracy stand in the grey strip, whose height means nothing. Vertical "
    "dotted lines are the bounds of the search space. Line and band: the accuracy with the best setting of the other "
    "hyperparameters, over seeds, by the model from all trials, and its 95 % interval, no further than a tenth of the "
    "space from a trial; finely dotted: the mean over the settings of the others; thick bar: the plateau, whose values "
    "cannot be told from the peak.",
    strength_response,
    draw_strength_response,
)

"""The two objectives of a search: every complete trial, the front and the winner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analysis.figures.panels import grid, legend, rings, thin
from analysis.figures.spec import FigureSpec
from analysis.figures.style import look, styled
from analysis.formatting import scored_on
from analysis.measures.search.response import winners
from analysis.snapshot import Snapshot, Source, finite, mapping, snapshot
from analysis.statistics.pareto import on_front
from analysis.wording import where
from tune_reg.store import TrialRow, second_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES: Final = {"robust_accuracy": "accuracy under attack, %", "epoch_time": "seconds an epoch"}


class ObjectivePoint(NamedTuple):
    """One complete trial by its two objectives."""

    trial: int
    value: float  # validation accuracy, share in [0, 1]
    second: float  # accuracy under attack, share in [0, 1]; or seconds an epoch
    front: bool  # no other trial of the panel is as good in both and better in one
    winner: bool


class ObjectivePanel(NamedTuple):
    """The complete trials of one search by their two objectives."""

    regularizer: str
    kind: str  # of the second objective
    fraction: float
    data: str  # the fraction in words
    points: tuple[ObjectivePoint, ...]


class Objectives(NamedTuple):
    """Validation accuracy against the second objective of the search."""

    regularizers: tuple[str, ...]
    picked_on_test: bool
    panels: tuple[ObjectivePanel, ...]


def objectives(source: Source) -> Objectives:
    """Every complete trial by its two objectives, with the front and the winner; empty where there was only one."""
    data = snapshot(source)
    kind = mapping(mapping(data.study.get("search")).get("second_objective")).get("kind")
    if kind not in _NAMES:
        return Objectives(data.regularizers, data.picked_on_test, ())
    searches = [
        (name, fraction)
        for name in data.regularizers
        for fraction in sorted({row["fraction"] for row in data.trials if row["regularizer"] == name})
    ]
    panels = [_panel(data, str(kind), *search) for search in searches]
    return Objectives(data.regularizers, data.picked_on_test, tuple(panel for panel in panels if panel.points))


def _panel(data: Snapshot, kind: str, name: str, fraction: float) -> ObjectivePanel:
    complete: list[tuple[TrialRow, float, float]] = []
    for row in data.trials:
        if (row["regularizer"], row["fraction"], row["state"]) == (name, fraction, "complete"):
            pair = finite([row["value"], second_value(row, kind)])
            if len(pair) == 2:
                complete.append((row, pair[0], pair[1]))
    sign = -1 if kind == "epoch_time" else 1
    front = on_front(
        np.array([value for _, value, _ in complete]), np.array([sign * second for *_, second in complete])
    )
    winner = winners(data, name).get(fraction)
    points = tuple(
        ObjectivePoint(row["trial"], value, second, bool(best), row["trial"] == winner)
        for (row, value, second), best in zip(complete, front, strict=True)
    )
    return ObjectivePanel(name, kind, fraction, where(data, fraction), points)


@styled
def draw_objectives(data: Objectives) -> Figure:
    """Draw one panel a search: the front filled and joined, other trials hollow, the winner ringed."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        color = look(data.regularizers.index(panel.regularizer)).color
        scale = 100 if panel.kind == "robust_accuracy" else 1
        front = sorted((100 * point.value, scale * point.second) for point in panel.points if point.front)
        ax.plot(*zip(*front, strict=True), color=color, marker="o", linewidth=1, label="front")
        others = thin([point for point in panel.points if not point.front])
        ax.scatter(
            [100 * point.value for point in others],
            [scale * point.second for point in others],
            s=16,
            facecolors="none",
            edgecolors=color,
            linewidths=0.8,
            label="other trials",
        )
        ringed = [point for point in panel.points if point.winner]
        x, y = [100 * point.value for point in ringed], [scale * point.second for point in ringed]
        rings(ax, x, y, name="winner", size=130)
        ax.set_title(f"{panel.regularizer}, {panel.data}")
        ax.set_xlabel(f"{scored_on(picked_on_test=data.picked_on_test)} accuracy, %")
        ax.set_ylabel(_NAMES[panel.kind])
        legend(ax)
    return figure


OBJECTIVES_FIGURE: Final = FigureSpec(
    "objectives",
    "The two objectives of the search, on {scored} images",
    "Every trial trained to the end, at most 300 off the front. Filled and joined: no other trial is as good in "
    "both and better in one. Ringed: the winner, the best in the second objective among those within one standard "
    "error of the highest {scored} accuracy.",
    objectives,
    draw_objectives,
)

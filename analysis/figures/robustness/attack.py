"""Accuracy against attack strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import INTERVALS, draw_intervals, runs_text
from analysis.figures.panels import grid, legend
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, styled
from analysis.formatting import attack_name
from analysis.measures.attacks import CLEAN
from analysis.snapshot import Source, finite, snapshot
from analysis.statistics import share_interval
from analysis.wording import where
from tune_reg.store import RobustnessRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class AttackPoint(NamedTuple):
    """One regularizer under one attack of one strength. Accuracies are shares in [0, 1]."""

    regularizer: str
    x: float  # epsilon on images in [0, 1]; at 0 the clean test accuracy
    n: int  # runs
    mean: float
    low: float | None
    high: float | None
    method: str
    warned: int  # runs in which a check of the attack against itself warned


class AttackPanel(NamedTuple):
    """Accuracy against epsilon under one attack, at one data fraction."""

    test: str  # fgsm, ...
    norm: str | None
    fraction: float
    search_fraction: float
    data: str  # both fractions in words
    points: tuple[AttackPoint, ...]


class AttackStrength(NamedTuple):
    """Accuracy of confirmed runs under attack."""

    regularizers: tuple[str, ...]
    panels: tuple[AttackPanel, ...]


def attack_strength(source: Source) -> AttackStrength:
    """Mean accuracy over seeds at each epsilon of each attack, with its interval.

    Rows without an epsilon (corruptions have a severity) are left out. Only the largest fraction has panels: panels
    of all fractions would be dozens, and their areas stand in ``areas``.
    """
    data = snapshot(source)
    largest = max(((row["fraction"], row["search_fraction"]) for row in data.robustness), default=None)
    groups: dict[tuple[float, float, str, str], list[RobustnessRow]] = {}
    for row in data.robustness:
        key = (row["fraction"], row["search_fraction"], row["test"], row["norm"] or "")
        if key[:2] == largest and row["epsilon"] is not None and row["test"] != CLEAN:
            groups.setdefault(key, []).append(row)
    panels = [
        AttackPanel(
            test,
            norm or None,
            fraction,
            search_fraction,
            where(data, fraction, search_fraction),
            _points(data.regularizers, rows),
        )
        for (fraction, search_fraction, test, norm), rows in sorted(
            groups.items(), key=lambda item: (-item[0][0], -item[0][1], item[0][2:])
        )
    ]
    return AttackStrength(data.regularizers, tuple(panel for panel in panels if panel.points))


def _points(order: tuple[str, ...], rows: list[RobustnessRow]) -> tuple[AttackPoint, ...]:
    groups: dict[tuple[int, float], list[RobustnessRow]] = {}
    for row in rows:
        if row["epsilon"] is not None:
            groups.setdefault((order.index(row["regularizer"]), row["epsilon"]), []).append(row)
    points = []
    for (index, epsilon), group in sorted(groups.items()):
        mean = share_interval(
            finite(row["accuracy"] for row in group), min((row["n"] for row in group if row["n"]), default=None)
        )
        if mean is not None:
            points.append(AttackPoint(order[index], epsilon, *mean, warned=sum(bool(row["warning"]) for row in group)))
    return tuple(points)


@styled
def draw_attack_strength(data: AttackStrength) -> Figure:
    """Draw one panel an attack and data fraction, one line a regularizer."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        draw_intervals(ax, panel.points, data.regularizers)
        warned = [(point.x, 100 * point.mean) for point in panel.points if point.warned]
        if warned:
            x, y = zip(*warned, strict=True)
            ax.scatter(x, y, s=170, marker="*", facecolors="none", edgecolors=INK, linewidths=0.9, label="warned of")
        ax.set_title(f"{attack_name(panel.test, panel.norm)}\n{panel.data}, {runs_text(panel.points)}")
        ax.set_xlabel("epsilon, on images in [0, 1]")
        ax.set_ylabel("test accuracy under attack, %")
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
        legend(ax)
    return figure


ATTACK_FIGURE: Final = FigureSpec(
    "attack-strength",
    "Test accuracy against attack strength",
    f"{INTERVALS} At the largest fraction. Epsilon 0 is the clean test set. Stars: a check of the attack "
    "against itself warned, so that the accuracy may be too high.",
    attack_strength,
    draw_attack_strength,
)

"""Which hyperparameters mattered: the importance of each, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.panels import grid
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, label, styled
from analysis.measures.search.importance import RANKING_BELOW, importances
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ImportancePoint(NamedTuple):
    """The importance of one hyperparameter in one search."""

    parameter: str
    n: int  # trials that the model reads
    share: float  # of the variance, in [0, 1]
    low: float
    high: float


class ImportancePanel(NamedTuple):
    """The importance of every hyperparameter of one search."""

    regularizer: str
    fraction: float
    data: str  # the fraction in words
    points: tuple[ImportancePoint, ...]


class ImportanceFigure(NamedTuple):
    """The importance of every hyperparameter of every search."""

    panels: tuple[ImportancePanel, ...]


def hyperparameter_importance(source: Source) -> ImportanceFigure:
    """The rows of ``importances`` at the largest fraction searched, the largest share first, one panel a search."""
    data = snapshot(source)
    groups: dict[tuple[str, float], list[ImportancePoint]] = {}
    every = importances(data)
    largest = max((row.fraction for row in every), default=None)
    for row in (each for each in every if each.fraction == largest):
        point = ImportancePoint(row.parameter, row.n, row.share, row.low, row.high)
        groups.setdefault((row.regularizer, row.fraction), []).append(point)
    return ImportanceFigure(
        tuple(
            ImportancePanel(name, fraction, where(data, fraction), tuple(sorted(points, key=lambda p: -p.share)))
            for (name, fraction), points in groups.items()
        )
    )


@styled
def draw_hyperparameter_importance(data: ImportanceFigure) -> Figure:
    """Draw one panel a search, one bar a hyperparameter, with its interval."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        positions = range(len(panel.points))
        shares = [100 * point.share for point in panel.points]
        errors = [
            [100 * (point.share - point.low) for point in panel.points],
            [100 * (point.high - point.share) for point in panel.points],
        ]
        ax.barh(positions, shares, height=0.5, color=INK, alpha=0.3)
        ax.errorbar(shares, positions, xerr=errors, fmt="o", color=INK, capsize=3, markersize=4)
        ax.set_yticks(positions, [label(point.parameter) for point in panel.points])
        ax.set_ylim(len(panel.points) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.set_title(f"{panel.regularizer}, {panel.data}")
        ax.set_xlabel(f"share of the variance, % ({panel.points[0].n} trials)")
        ax.set_ylabel("hyperparameter")
    return figure


IMPORTANCE_FIGURE: Final = FigureSpec(
    "importance",
    "Which hyperparameters mattered for {scored} accuracy",
    "The share of the variance of the final accuracy over the space that each hyperparameter explains by itself, the "
    "others averaged over, by the model of final values, with 95 % intervals. With fewer than "
    f"{RANKING_BELOW} trials a ranking at most, and where intervals overlap not even that. At the largest fraction "
    "searched; the others stand in the table.",
    hyperparameter_importance,
    draw_hyperparameter_importance,
)

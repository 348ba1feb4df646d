"""The paired differences of the confirmed runs, each as a dot: what a mean and its interval are made of."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.panels import grid
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, label, look, styled
from analysis.measures.comparisons import comparisons, differences_of
from analysis.measures.primary import ACCURACY
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PairedPoint(NamedTuple):
    """The difference of one regularizer to the baseline on one seed, a share in [0, 1]."""

    regularizer: str
    seed: int
    difference: float
    mean: float  # of the regularizer's differences
    low: float | None  # of the interval of that mean
    high: float | None
    spread: str  # outliers and skew, in words


class PairedPanel(NamedTuple):
    """The differences on one training set."""

    fraction: float
    search_fraction: float
    data: str  # in words
    points: tuple[PairedPoint, ...]


class PairedDifferences(NamedTuple):
    """Differences of test accuracy to the baseline, seed by seed."""

    regularizers: tuple[str, ...]
    panels: tuple[PairedPanel, ...]


def paired_differences(source: Source) -> PairedDifferences:
    """The paired differences of test accuracy of every regularizer and training set, seed by seed."""
    data = snapshot(source)
    points: dict[tuple[float, float], list[PairedPoint]] = {}
    for row in comparisons(data):
        if row.measure != ACCURACY:
            continue
        _, mean, low, high = row.difference[:4]
        points.setdefault((row.fraction, row.search_fraction), []).extend(
            PairedPoint(row.regularizer, seed, difference, mean, low, high, row.spread)
            for seed, difference in sorted(differences_of(data, row).items())
        )
    panels = [PairedPanel(*setting, where(data, *setting), tuple(points[setting])) for setting in points]
    return PairedDifferences(data.regularizers, tuple(panels))


@styled
def draw_paired_differences(data: PairedDifferences) -> Figure:
    """Draw one panel a training set, one row a regularizer: dots, and the mean with its interval below them."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        names = [name for name in data.regularizers if any(point.regularizer == name for point in panel.points)]
        for row, name in enumerate(names):
            dots = [point for point in panel.points if point.regularizer == name]
            style = look(data.regularizers.index(name))
            # Dots of one row are shifted in turn, so that equal ones do not hide each other.
            heights = [row - 0.08 - 0.08 * (place % 3) for place in range(len(dots))]
            x = [100 * point.difference for point in dots]
            ax.scatter(x, heights, s=14, color=style.color, marker=style.marker, alpha=0.75, linewidths=0)
            mean, low, high = dots[0][3:6]
            if low is not None and high is not None:
                ax.plot([100 * low, 100 * high], [row + 0.2] * 2, color=style.color, linewidth=1.5)
            ax.plot([100 * mean], [row + 0.2], color=style.color, marker="|", markersize=11, linestyle="none")
        ax.axvline(0, color=INK, linewidth=0.9)
        flagged = {point.regularizer for point in panel.points if point.spread}
        words = [f"{name} (uneven)" if name in flagged else name for name in names]
        ax.set_yticks(range(len(names)), [label("\n".join(textwrap.wrap(word, 16)[:3])) for word in words])
        ax.set_ylim(len(names) - 0.5, -0.6)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("test accuracy less the baseline's, points")
        ax.set_title(panel.data)
    return figure


PAIRED_FIGURE: Final = FigureSpec(
    "paired-differences",
    "Paired differences, seed by seed",
    "Dots are differences of test accuracy to the baseline's run of the same seed; below them their mean (tick) and "
    "its interval. Uneven: one difference is unlike all others, or they are skewed, which a mean describes badly; with "
    "bad runs on one side alone no test of means keeps its level.",
    paired_differences,
    draw_paired_differences,
)

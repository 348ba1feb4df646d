"""The accuracy of each class of the test set, as differences to the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import runs_text
from analysis.figures.panels import grid, set_height
from analysis.figures.spec import FigureSpec
from analysis.figures.style import INK, label, look, styled
from analysis.measures.class_accuracy import class_differences
from analysis.measures.results import largest_measured
from analysis.snapshot import Source, snapshot
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: More classes than these are no longer read one by one: those that gain and lose most are drawn.
MOST_CLASSES: Final = 20
#: More panels would be looked at by nobody.
MOST_METHODS: Final = 6
_ROW: Final = 0.2  # inches


class ClassPoint(NamedTuple):
    """The difference of one regularizer to the baseline in one class of the test set. Shares in [0, 1]."""

    regularizer: str
    label: int  # the class, from 0
    images: int | None  # of the class in the test set
    n: int  # pairs of runs
    baseline: float  # mean accuracy of the baseline's runs
    mean: float
    low: float | None
    high: float | None


class ClassPanel(NamedTuple):
    """The differences of one regularizer in all classes."""

    regularizer: str
    data: str  # the training data in words
    points: tuple[ClassPoint, ...]


class ClassAccuracy(NamedTuple):
    """Test accuracy of each class, of every regularizer less the baseline's."""

    regularizers: tuple[str, ...]
    panels: tuple[ClassPanel, ...]


def class_accuracy(source: Source) -> ClassAccuracy:
    """The difference to the baseline in the test accuracy of each class, on the training set of the verdict."""
    data = snapshot(source)
    points: dict[str, list[ClassPoint]] = {}
    for row in class_differences(data):
        n, mean, low, high = row.difference[:4]
        points.setdefault(row.regularizer, []).append(
            ClassPoint(row.regularizer, row.label, row.images, n, row.baseline, mean, low, high)
        )
    rows = largest_measured(data)
    words = where(data, rows[0].fraction, rows[0].search_fraction) if rows else ""
    panels = tuple(ClassPanel(name, words, tuple(points[name])) for name in data.regularizers if name in points)
    return ClassAccuracy(data.regularizers, panels)


@styled
def draw_class_accuracy(data: ClassAccuracy) -> Figure:
    """Draw one panel a regularizer, one row a class: the mean difference and its interval."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        style = look(data.regularizers.index(panel.regularizer))
        points = _shown(panel.points)
        for row, point in enumerate(points):
            if point.low is not None and point.high is not None:
                ax.plot([100 * point.low, 100 * point.high], [row, row], color=style.color, linewidth=1.2)
            ax.plot([100 * point.mean], [row], color=style.color, marker=style.marker, markersize=4.5)
        ax.axvline(0, color=INK, linewidth=0.9)
        ax.set_yticks(range(len(points)), [_name(point) for point in points])
        ax.set_ylim(len(points) - 0.4, -0.6)
        set_height(ax, _ROW * (len(points) + 0.2))
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
        ax.set_ylabel("class (its test images)")
        ax.set_xlabel("test accuracy less the baseline's, points")
        ax.set_title(f"{label(panel.regularizer)}\n{panel.data}, {runs_text(points)} pairs of runs")
    return figure


def _shown(points: tuple[ClassPoint, ...]) -> list[ClassPoint]:
    """All classes, or of very many the ones with the largest losses and gains."""
    if len(points) <= MOST_CLASSES:
        return list(points)
    ordered = sorted(points, key=lambda point: point.mean)
    return [*ordered[: MOST_CLASSES // 2], *ordered[-MOST_CLASSES // 2 :]]


def _name(point: ClassPoint) -> str:
    return str(point.label) if point.images is None else f"{point.label} ({point.images:,})"


CLASS_FIGURE: Final = FigureSpec(
    "class-accuracy",
    "Test accuracy by class, against the baseline",
    "Descriptive, and secondary: nothing is claimed of single classes. Mean differences to the baseline in the "
    "accuracy of each class over n pairs of runs of the same seed, with 95 % intervals that are not corrected for the "
    f"number of classes. Of more than {MOST_CLASSES} classes the {MOST_CLASSES // 2} with the largest losses and gains "
    "each.",
    class_accuracy,
    draw_class_accuracy,
    most_panels=MOST_METHODS,
)

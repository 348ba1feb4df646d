"""How every figure looks: colours, markers, panels, and SVG that is the same bytes every time."""

from __future__ import annotations

import io
import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

P = ParamSpec("P")
T = TypeVar("T")

#: Stands for the colour of the text around the figure, so that one SVG reads on light and on dark paper.
INK: Final = "#010203"
#: After Okabe and Ito (2008), safe for colour-blind readers, each at least 3:1 against white. The report sets
#: lighter ones on dark paper through the variables --series-1 ... --series-6.
COLOURS: Final = ("#0072b2", "#d55e00", "#00875f", "#aa4499", "#946800", "#5b5bd6")
#: Seven shapes and six colours: 42 series before a pair repeats.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", "--", "-.", ":")

_PANEL: Final = (4.1, 3.4)  # inches: at 375 px the text is still 10 px high
#: Most marks of a linear axis: each is a line, a grid line and a text, which take most of the time to draw.
TICKS: Final = 6
_RC: Final = {
    "font.family": "DejaVu Sans",  # inside matplotlib, so that the layout is the same on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # matplotlib would look for ticks above the axes at each drawing
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), INK
    ),
}


class Look(NamedTuple):
    """How one series is drawn; shape and dash differ as well as colour."""

    color: str
    marker: str
    dash: str


def look(place: int) -> Look:
    """The look of the series at ``place``; the first one, the baseline, is drawn in the colour of the text.

    >>> look(0).color == INK, look(1).color, look(1).marker
    (True, '#0072b2', 's')
    """
    color = INK if place == 0 else COLOURS[(place - 1) % len(COLOURS)]
    return Look(color, MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])


def label(name: str) -> str:
    """``name`` for a legend, from which matplotlib drops names that start with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib.style

    # Glyphs that the layout font lacks are drawn by the reader's own font: the text stays text.
    with matplotlib.style.context(["default", dict(_RC)]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a drawing function under the house style, whatever the caller's matplotlibrc says."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with _style():
            return draw(*args, **kwargs)

    return wrapper


def grid(panels: int) -> tuple[Figure, list[Axes]]:
    """A figure of ``panels`` panels, two beside each other, and their axes."""
    from matplotlib.figure import Figure

    columns = min(2, max(1, panels))
    rows = max(1, math.ceil(panels / columns))
    figure = Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
    # A panel is a figure in the figure: laid out by itself, it can stand alone (see ``parts``).
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0, hspace=0).flat
    axes = [cell.add_subplot() for cell, _ in zip(cells, range(panels), strict=False)]
    for own in axes:
        own.locator_params(nbins=TICKS)
    return figure, axes


def legend(axes: Axes) -> None:
    """A legend below ``axes``, where it hides no data; none where nothing is named."""
    from matplotlib.transforms import ScaledTranslation

    # Series of several fractions share one entry for what they have in common.
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    handles, labels = list(named.values()), list(named)
    figure = axes.get_figure()
    if handles and figure is not None:
        axes.legend(
            handles,
            # A very long name would leave no room for the axes.
            [textwrap.fill(name, 40, drop_whitespace=False) for name in labels],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            # In points, because the axes lose height to a legend of many rows.
            bbox_transform=axes.transAxes + ScaledTranslation(0, -30 / 72, figure.dpi_scale_trans),
            # The layout keeps the legend inside the figure, so that a wide one would narrow the axes.
            ncols=2 if max(map(len, labels)) <= 22 else 1,
            columnspacing=1.2,
            handletextpad=0.5,
        )


def plain_log_ticks(axes: Axes, *, vertical: bool = False) -> None:
    """Label a log axis, x or y, with plain numbers; matplotlib's own labels are mathematical markup."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axis.get_view_interval()
    if high <= 30 * low and axis.get_scale() == "log":
        # Less than two decades: with its decades alone the axis could have one label or none.
        ticks = [step * 10.0**power for power in range(-12, 12) for step in (1, 2, 5)]
        axis.set_ticks([tick for tick in ticks if low <= tick <= high])
    axis.set_minor_locator(NullLocator())  # dozens of marks without labels, which take most of the time to draw


def scale_axis(axes: Axes, scale: str, values: Sequence[float], *, vertical: bool = False) -> None:
    """Set the x or y axis to the ``scale`` of a hyperparameter with these ``values``, with plain labels."""
    place = axes.set_yscale if vertical else axes.set_xscale
    if scale == "log":
        place("log")
    elif scale == "symlog":
        place("symlog", linthresh=min((abs(value) for value in values if value), default=1.0), linscale=0.5)
    if scale in ("log", "symlog"):
        limits = axes.set_ylim if vertical else axes.set_xlim
        if scale == "log":
            margin = (max(values) / min(values)) ** 0.05 if max(values) > min(values) else 2.0
            limits(min(values) / margin, max(values) * margin)
        plain_log_ticks(axes, vertical=vertical)


def thin(points: Sequence[T], most: int = 300) -> list[T]:
    """At most ``most`` of ``points``, evenly spread: thousands of markers in a panel show no more than hundreds.

    >>> thin(range(10), 4), thin(range(3), 4)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def marks(points: int, offset: int = 0) -> list[int]:
    """Which points of a line get a marker: about seven, the last among them.

    >>> marks(3), marks(60)
    ([0, 1, 2], [0, 10, 20, 30, 40, 50, 59])
    """
    return sorted({*range(offset, points, max(1, points // 6)), points - 1})


@styled
def lay_out(figure: Figure) -> None:
    """Place everything in ``figure`` for good: a layout takes longer than a drawing, and each form would repeat it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # with "none" each form would be drawn twice, once to lay it out
    for axes in figure.axes:
        to_axes = axes.transAxes.inverted()
        for axis in (axes.xaxis, axes.yaxis):
            # Left to itself, an axis measures its ticks again at each drawing to find the place of its label.
            axis.set_label_coords(*to_axes.transform(axis.label.get_transform().transform(axis.label.get_position())))


def parts(figure: Figure) -> list[Figure | SubFigure]:
    """The panels of ``figure``, each of which ``svg`` can write by itself; the figure where it has no panels."""
    return [cell for cell in figure.subfigs if cell.axes] or [figure]


@styled
def svg(figure: Figure, name: str, part: Figure | SubFigure | None = None) -> str:
    """``figure``, or one of its ``parts``, as an SVG element of its own, without size, prolog or metadata.

    Its ids start with ``name``. The same figure gives the same text. Colours are CSS variables with the light
    palette as their default, and the ink is the colour of the surrounding text.
    """
    import matplotlib

    sink = io.StringIO()
    area = None if part is None or part is figure else part.bbox.transformed(figure.dpi_scale_trans.inverted())
    with matplotlib.rc_context({"svg.hashsalt": name}), _alone(figure, part):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(sink, format="svg", transparent=True, metadata=metadata, bbox_inches=area)
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", text)
    text = text.replace(INK, "currentColor")
    for place, color in enumerate(COLOURS, start=1):
        text = text.replace(color, f"var(--series-{place}, {color})")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@contextmanager
def _alone(figure: Figure, part: Figure | SubFigure | None) -> Iterator[None]:
    others = [cell for cell in figure.subfigs if part is not None and cell is not part and part is not figure]
    for cell in others:
        cell.set_visible(False)
    yield
    for cell in others:
        cell.set_visible(True)

"""How every figure looks: colours, markers, dashes and the settings of matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, NamedTuple, ParamSpec, TypeVar

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


def look(index: int) -> Look:
    """The look of the series at ``index``; the first one, the baseline, is drawn in the colour of the text.

    >>> look(0).color == INK, look(1).color, look(1).marker
    (True, '#0072b2', 's')
    """
    color = INK if index == 0 else COLOURS[(index - 1) % len(COLOURS)]
    return Look(color, MARKERS[index % len(MARKERS)], DASHES[index % len(DASHES)])


def label(name: str) -> str:
    """A name for a legend, from which matplotlib drops names that start with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib.style

    # Glyphs that the layout font lacks are drawn by the reader's own font: the text stays text.
    with matplotlib.style.context(["default", dict(_RC)]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a drawing function with the report's settings of matplotlib, whatever the caller's matplotlibrc says."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with _style():
            return draw(*args, **kwargs)

    return wrapper

"""How every figure looks: colours, markers, dashes and the settings of matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import unwrap
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec

from analysis.figures.fonts import FONT, fallback
from analysis.figures.layout import Layout, arrange

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

#: The colour of text, axes and the baseline. On dark paper the page of the report replaces it, as it does ``COLOURS``.
INK: Final = "#1b1f24"
#: After Okabe and Ito (2008), safe for colour-blind readers, each at least 3:1 against white.
COLOURS: Final = ("#0072b2", "#d55e00", "#00875f", "#aa4499", "#946800", "#5b5bd6")
#: Seven shapes and six colours: 42 series before a pair repeats.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", "--", "-.", ":")

_RC: Final[dict[str, Any]] = {
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


#: Settings of the program around a figure, such as its window: a drawing leaves them as they are.
_OF_THE_PROGRAM: Final = ("backend", "interactive", "toolbar", "webagg.", "tk.", "figure.max_open_warning")


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
def report_style(families: tuple[str, ...] = ()) -> Iterator[None]:
    """The report's settings of matplotlib, whatever the user's own are; ``families`` are asked after ``FONT``."""
    import matplotlib

    # Not by matplotlib.style, which reads the user's style sheets when it is imported.
    default: dict[str, Any] = {
        key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith(_OF_THE_PROGRAM)
    }
    # Glyphs that no font has are told of; in SVG the text stays text, and the reader's own font draws them.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        settings: Any = default | _RC | {"font.family": [FONT, *families]}
        matplotlib.rcParams.update(settings)
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A drawing function that uses the report's settings, and fonts that have the letters of the names.

    Its panels are arranged for the page; ``layout.arrange`` arranges them for another.
    """

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        figure, _ = arranged(draw, *args, **kwargs)
        return figure

    return wrapper


def arranged(draw: Callable[P, Figure], *args: P.args, **kwargs: P.kwargs) -> tuple[Figure, Layout]:
    """The figure of a drawing function, as ``styled`` gives it, and where everything stands in it.

    ``draw`` may be styled already: it is arranged once.
    """
    with report_style(fallback(args).families):
        figure = unwrap(draw)(*args, **kwargs)
        return figure, arrange(figure)

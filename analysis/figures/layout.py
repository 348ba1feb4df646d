"""Where everything in a figure stands: axes of equal size, with their names, titles and legends around them.

Every text is measured once. matplotlib's own layouts solve the whole figure at once, in a time that grows faster than
the square of its panels, and give up where a legend is too large.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.legend import Legend
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox


class Page(NamedTuple):
    """What a figure is laid out for. Widths are in inches, the size of type is in points."""

    panel: float  # width of a panel that stands beside another one
    single: float  # width of the only panel of a figure
    type_size: float
    longest: float  # height of a sheet, for the figures that go over several
    wide_legend: bool  # whether the legend of all panels may be as wide as two, or must be as readable as one alone


#: For the HTML page: at 375 px the text is still 10 px high.
SCREEN: Final = Page(4.1, 4.1, 9.0, math.inf, wide_legend=False)
#: For print, by the columns of the paper's page: the usual widths of text and of a column, and readable type.
PAPER: Final = {
    1: Page(2.75, 5.5, 8.0, 8.5, wide_legend=True),
    2: Page(3.45, 3.4, 8.0, 9.0, wide_legend=True),
}

_NUMBER: Final = re.compile(r"[-\u2212+]?[\d.,]+(?:e[-\u2212+]?\d+)?")
#: Panels that stand beside each other.
BESIDE: Final = 2
_GAP: Final = 0.06  # inches, around everything
_TICKS: Final = 0.1  # inches from the axes to the numbers at their ticks
_LEAST: Final = 0.45  # of a panel's width, that its axes keep, whatever stands at its left
_FEW: Final = 6  # names that a legend may set in one column
_NEAR: Final = 6  # panels at most, all of which are near to a legend below them
_NAME: Final = 2.2  # inches that a name of a longer legend may take


class Part(NamedTuple):
    """A region of a figure that can stand alone: a panel, or the legend of all of them. In inches from below left."""

    axes: Axes | None
    legend: Legend | None
    left: float
    bottom: float
    width: float
    height: float


class Layout(NamedTuple):
    """The parts of a figure in reading order, and the sheets it goes over, each from its bottom to its top."""

    parts: tuple[Part, ...]
    sheets: tuple[tuple[float, float], ...]


class _Margins(NamedTuple):
    left: float
    right: float
    top: float
    bottom: float


def arrange(figure: Figure, page: Page = SCREEN) -> Layout:
    """Give ``figure`` its size, and everything in it its place; the axes keep their height.

    Panels stand in rows of two. A long name goes over several lines. Panels share one legend, below them, or above
    where they are so many that it would be far from the first. A figure can be arranged again for another page.
    """
    panels = list(figure.axes)
    if not panels:
        return Layout((), ())
    renderer = _renderer(figure.dpi)
    width = page.single if len(panels) == 1 else page.panel
    heights = [axes.get_position().height * figure.get_figheight() for axes in panels]
    shared = _shared_entries(panels)
    margins = _margins(figure, renderer, panels, page.type_size, width, heights)
    alone = _legend(figure, renderer, panels[0], page, width) if len(panels) == 1 else None
    below = _height(renderer, alone) + _GAP if alone else 0.0
    rows = [range(start, min(start + BESIDE, len(panels))) for start in range(0, len(panels), BESIDE)]
    row_heights = [margins.top + margins.bottom + max(heights[index] for index in row) + below for row in rows]
    whole = width * min(BESIDE, len(panels))
    span = whole if page.wide_legend else width
    common, beside, above = None, False, len(panels) > _NEAR
    if shared:
        free = row_heights[-1] - 2 * _GAP if len(panels) % BESIDE and not above else 0.0
        common = _common_legend(figure, renderer, panels, shared, page, width if free else span)
        beside = _height(renderer, common) <= free
        if free and not beside:
            common = _common_legend(figure, renderer, panels, shared, page, span)
    strip = _height(renderer, common) + 2 * _GAP if common and not beside else 0.0
    total = sum(row_heights) + strip
    figure.set_size_inches(whole, total)
    parts = []
    top = total
    if common is not None and above:
        common.set_bbox_to_anchor((0.5, (total - _GAP) / total), figure.transFigure)
        parts.append(Part(None, common, (whole - span) / 2, total - strip, span, strip))
        top -= strip
    for row, row_height in zip(rows, row_heights, strict=True):
        for column, index in enumerate(row):
            axes, left = panels[index], column * width
            axes_width = width - margins.left - margins.right
            box = (left + margins.left, top - margins.top - heights[index], axes_width, heights[index])
            _place(axes, box, (whole, total))
            _place_names(axes, renderer, axes_width, heights[index])
            # In the middle of the axes, or as near to it as the title has room.
            title = axes.title.get_window_extent(renderer).width / figure.dpi / 2 + _GAP
            middle = max(title, min(margins.left + axes_width / 2, width - title))
            axes.title.set_x((middle - margins.left) / axes_width)
            parts.append(Part(axes, alone, left, top - row_height, width, row_height))
        top -= row_height
    if alone is not None:
        alone.set_bbox_to_anchor((0.5, (below - _GAP / 2) / total), figure.transFigure)
    if common is not None and beside:  # in the place of the panel that the last row lacks
        common.set_bbox_to_anchor(
            ((whole - width / 2) / whole, (row_heights[-1] - 3 * _GAP) / total), figure.transFigure
        )
        height = _height(renderer, common) + 2 * _GAP
        parts.append(Part(None, common, whole - width, row_heights[-1] - 2 * _GAP - height, width, height))
    elif common is not None and not above:
        common.set_bbox_to_anchor((0.5, (strip - _GAP) / total), figure.transFigure)
        parts.append(Part(None, common, (whole - span) / 2, 0.0, span, strip))
    return Layout(tuple(parts), _sheets([strip, *row_heights] if above else [*row_heights, strip], page.longest))


@lru_cache
def _renderer(dpi: float) -> RendererAgg:
    """What measures text: one for all figures, as matplotlib keeps the size of each text for each renderer."""
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]


def _sheets(heights: Sequence[float], longest: float) -> tuple[tuple[float, float], ...]:
    top = sum(heights)
    sheets: list[tuple[float, float]] = []
    bottom = top
    for height in heights:
        if top - (bottom - height) > longest and bottom < top:
            sheets.append((bottom, top))
            top = bottom
        bottom -= height
    return (*sheets, (max(0.0, bottom), top))


def _place(axes: Axes, box: tuple[float, float, float, float], size: tuple[float, float]) -> None:
    left, bottom, width, height = box
    axes.set_position((left / size[0], bottom / size[1], width / size[0], height / size[1]))


def _set_type(axes: Axes, size: float) -> None:
    axes.title.set_fontsize(size + 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_fontsize(size)
    axes.tick_params(labelsize=size)


def _margins(
    figure: Figure,
    renderer: RendererAgg,
    panels: Sequence[Axes],
    type_size: float,
    width: float,
    heights: Sequence[float],
) -> _Margins:
    """The room that what stands around the axes needs; one for all panels, so that their axes are in line."""
    size = (figure.get_figwidth(), figure.get_figheight())
    left = top = bottom = 0.0
    right = 0.12
    for axes, height in zip(panels, heights, strict=True):
        _set_type(axes, type_size)
        _place(axes, (0.0, 0.0, width * 0.8, height), size)
        _wrap_ticks(axes.yaxis, renderer, width * (1 - _LEAST) - 0.4)
        _wrap(axes.yaxis.label, renderer, height + 0.4)
        left = max(left, _beside(axes, renderer) + _thickness(axes.yaxis.label) + 2 * _GAP)
    for axes, height in zip(panels, heights, strict=True):
        axes_width = width - left - right
        _place(axes, (0.0, 0.0, axes_width, height), size)
        _thin_ticks(axes, renderer)
        _wrap(axes.xaxis.label, renderer, axes_width + 0.3)
        _wrap(axes.title, renderer, width - 2 * _GAP)
        over = max((box.x1 / figure.dpi - axes_width for box in _numbers(axes.xaxis, renderer)), default=0.0)
        right = max(right, min(0.5, over) + _GAP)
        bottom = max(bottom, _under(axes, renderer) + _thickness(axes.xaxis.label) + 2 * _GAP)
        top = max(top, _thickness(axes.title) + 3 * _GAP)
    return _Margins(left, right, top, bottom)


def _place_names(axes: Axes, renderer: RendererAgg, width: float, height: float) -> None:
    """The names of the axes beside their numbers, the title above the panel's own axes, in its middle."""
    # Left to itself, an axis measures its ticks again at each drawing to find the place of its name.
    axes.xaxis.set_label_coords(0.5, -(_under(axes, renderer) + _GAP) / height)
    axes.yaxis.set_label_coords(-(_beside(axes, renderer) + _GAP) / width, 0.5)


def _beside(axes: Axes, renderer: RendererAgg) -> float:
    """How far the numbers of the y axis reach to the left of the axes, in inches."""
    left = axes.get_window_extent(renderer).x0
    return max([_TICKS, *(float(left - box.x0) / _dpi(axes) for box in _numbers(axes.yaxis, renderer))])


def _under(axes: Axes, renderer: RendererAgg) -> float:
    """How far the numbers of the x axis reach below the axes, in inches."""
    bottom = axes.get_window_extent(renderer).y0
    return max([_TICKS, *(float(bottom - box.y0) / _dpi(axes) for box in _numbers(axes.xaxis, renderer))])


def _numbers(axis: Axis, renderer: RendererAgg) -> list[Bbox]:
    """Where the numbers or names stand that are seen at the ticks of ``axis``, in their order."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
    return [
        text.get_window_extent(renderer) for at, text in ticks if low - slack <= at <= high + slack and text.get_text()
    ]


def _dpi(axes: Axes) -> float:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(figure.dpi)


def _size(font: FontProperties, renderer: RendererAgg, words: str) -> float:
    """The width of ``words`` in inches."""
    size = renderer.get_text_width_height_descent(words, font, ismath=False)  # type: ignore[no-untyped-call]
    return float(size[0] / renderer.dpi)


def _thickness(text: Text) -> float:
    """The height of the lines of ``text``, in inches, as if they were set horizontally."""
    if not text.get_text():
        return 0.0
    lines = text.get_text().count("\n") + 1
    return float(text.get_fontsize()) / 72 * 1.25 * lines


def _wrap(text: Text, renderer: RendererAgg, width: float) -> None:
    text.set_text(wrapped(text.get_text(), width, lambda words: _size(text.get_fontproperties(), renderer, words)))


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> str:
    r"""``text`` in lines that are at most ``width`` wide, broken between words, and inside a word that is too long.

    Its own line breaks stay. Breaks that an earlier call made are made anew: they have a space before them, or a
    space without width inside a word. Neither is seen.

    >>> wrapped("a long name", 6, len), wrapped("abcdefgh", 4, len)
    ('a long \nname', 'abcd\u200b\nefgh')
    >>> wrapped(wrapped("a long name", 6, len), 20, len)
    'a long name'
    """
    return "\n".join(
        _broken(line, width, measure) for line in text.replace(" \n", " ").replace("\u200b\n", "").split("\n")
    )


def _broken(line: str, width: float, measure: Callable[[str], float]) -> str:
    if measure(line) <= width:
        return line
    lines = [""]
    for word in line.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if measure(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines[-1] += " "
            lines.append("")
        for piece in _pieces(word, width, measure):
            if lines[-1] and measure(lines[-1] + piece) > width:
                lines[-1] += "\u200b"
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def _pieces(word: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Where a word may be broken: after its hyphens and underscores, and anywhere in a piece that is too long."""
    pieces = re.split(r"(?<=[-_/.+])", word)
    return [part for piece in pieces for part in (piece if measure(piece) > width else [piece])]


def _words(axis: Axis) -> bool:
    """Whether an axis is marked with names, none of which may be left out."""
    return not all(_NUMBER.fullmatch(text.get_text()) for text in axis.get_majorticklabels() if text.get_text())


def _wrap_ticks(axis: Axis, renderer: RendererAgg, width: float) -> None:
    if _words(axis):
        texts = axis.get_majorticklabels()
        for text in texts:
            _wrap(text, renderer, width)
        axis.set_ticks(axis.get_majorticklocs(), [text.get_text() for text in texts])


def _thin_ticks(axes: Axes, renderer: RendererAgg) -> None:
    """Leave out every second number of an x axis until none touches its neighbour; names are turned instead."""
    axis = axes.xaxis
    low, high = sorted(axis.get_view_interval())
    while True:
        ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
        boxes = sorted(_numbers(axis, renderer), key=lambda box: box.x0)
        room = 0.04 * _dpi(axes)
        if len(ticks) < 3 and not _words(axis):
            return
        if not any(right.x0 - left.x1 < room for left, right in pairwise(boxes)):
            return
        if _words(axis):
            if axis.get_majorticklabels()[0].get_rotation():
                return
            axes.tick_params(axis="x", labelrotation=90)
            _wrap_ticks(axis, renderer, 1.6)
            return
        axis.set_ticks(ticks[::2])


def entries(axes: Axes) -> dict[str, Any]:
    """What the legend of ``axes`` names, each once: lines of several fractions share what they have in common."""
    return dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))


def _shared_entries(panels: Sequence[Axes]) -> dict[str, Any]:
    """What one legend of several panels names, each once: a name looks alike in all panels of a figure."""
    if len(panels) == 1:
        return {}
    named: dict[str, Any] = {}
    for axes in panels:
        if axes.get_legend() is not None:
            named = entries(axes) | named
    order = dict.fromkeys(name for axes in panels for name in entries(axes) if name in named)
    return {name: named[name] for name in order}


def _common_legend(
    figure: Figure,
    renderer: RendererAgg,
    panels: Sequence[Axes],
    named: dict[str, Any],
    page: Page,
    width: float,
) -> Legend:
    for legend in list(figure.legends):
        legend.remove()
    for axes in panels:
        of_panel = axes.get_legend()
        if of_panel is not None:
            of_panel.set_visible(False)
    return _made(figure.legend, renderer, named, page, width)


def _legend(figure: Figure, renderer: RendererAgg, axes: Axes, page: Page, width: float) -> Legend | None:
    named = entries(axes)
    if axes.get_legend() is None or not named:
        return None
    legend = _made(axes.legend, renderer, named, page, width)
    legend.set_bbox_to_anchor((0.5, 0.5), figure.transFigure)
    return legend


def _made(
    make: Callable[..., Legend], renderer: RendererAgg, named: dict[str, Any], page: Page, width: float
) -> Legend:
    """A legend in as many columns as its names leave room for. Many names are set in two, and so over more lines."""
    from matplotlib.font_manager import FontProperties

    size = page.type_size - 0.5
    type_ = FontProperties(size=size)

    def measure(words: str) -> float:
        return _size(type_, renderer, words)

    handle = 2.5 * size / 72  # the line before a name, and the gap between the two
    between = 1.2 * size / 72
    room = width - 2 * _GAP
    fewest = 1 if len(named) <= _FEW else max(2, int(width / _NAME))
    widest = (room - between * (fewest - 1)) / fewest - handle
    names = [wrapped(name, widest, measure) for name in named]
    taken = handle + max(measure(line) for name in names for line in name.split("\n"))
    columns = max(fewest, min(len(names), int((room + between) / (taken + between))))
    # As few columns as give as few rows: the rest would stand ragged.
    columns = math.ceil(len(names) / math.ceil(len(names) / columns))
    return make(
        list(named.values()),
        names,
        loc="upper center",
        ncols=columns,
        fontsize=size,
        borderaxespad=0.0,
        borderpad=0.0,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def _height(renderer: RendererAgg, legend: Legend | None) -> float:
    return 0.0 if legend is None else float(legend.get_window_extent(renderer).height / renderer.dpi)

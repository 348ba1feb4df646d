"""A figure as SVG that is the same bytes every time, in plain colours, which every program draws."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from analysis.figures.layout import Layout, Part, arrange
from analysis.figures.style import report_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE: Final = re.compile(r' style="([^"]*)"')
#: What a page sets by rules of its own stands as attributes, which rules outweigh; a style would outweigh the rules.
_COLOUR: Final = re.compile(r"\s*(fill|stroke): (#[0-9a-f]{6}|none)(?:;|$)")


def svg(figure: Figure, name: str, part: Part | None = None) -> str:
    """A figure, or one of its parts, as an SVG element of its own, without size, prolog or metadata.

    Its ids start with ``name``. The same figure gives the same text. Colours are attributes, so that a page may set
    others for them.
    """
    import matplotlib
    from matplotlib.transforms import Bbox

    if part is None:
        with report_style():
            arrange(figure)
    area = None if part is None else Bbox.from_bounds(part.left, part.bottom, part.width, part.height)
    sink = io.StringIO()
    with report_style(), matplotlib.rc_context({"svg.hashsalt": name}), alone(figure, None if part is None else [part]):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(sink, format="svg", transparent=True, metadata=metadata, bbox_inches=area)
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", text)
    text = _STYLE.sub(_as_attributes, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def together(panels: Sequence[str], layout: Layout) -> str:
    """The SVGs of all parts of a figure as one file: to draw the whole figure once more would take as long again."""
    width = 72 * max(part.left + part.width for part in layout.parts)
    height = 72 * max(part.bottom + part.height for part in layout.parts)
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    placed = [
        # A group, because not every program draws an SVG inside another one.
        f'<g transform="translate({72 * part.left:g} {height - 72 * (part.bottom + part.height):g})">'
        f"{panel[panel.index('>') + 1 : panel.rindex('</svg>')]}</g>\n"
        for panel, part in zip(panels, layout.parts, strict=True)
    ]
    return f'<?xml version="1.0" encoding="utf-8"?>\n<svg {names} version="1.1" {size}>\n{"".join(placed)}</svg>\n'


@contextmanager
def alone(figure: Figure, parts: Sequence[Part] | None) -> Iterator[None]:
    """Nothing is seen of ``figure`` but ``parts``; everything where None."""
    shown = [axes.get_visible() for axes in figure.axes], [legend.get_visible() for legend in figure.legends]
    if parts is not None:
        for axes in figure.axes:
            axes.set_visible(any(part.axes is axes for part in parts))
        for legend in figure.legends:
            legend.set_visible(any(part.legend is legend for part in parts))
    yield
    for axes, visible in zip(figure.axes, shown[0], strict=True):
        axes.set_visible(visible)
    for legend, visible in zip(figure.legends, shown[1], strict=True):
        legend.set_visible(visible)


def _as_attributes(style: re.Match[str]) -> str:
    colours = "".join(f' {name}="{colour}"' for name, colour in _COLOUR.findall(style[1]))
    rest = _COLOUR.sub("", style[1]).strip()
    return f'{colours} style="{rest}"' if rest else colours

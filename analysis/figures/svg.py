"""A figure as SVG that is the same bytes every time: laid out once, written panel by panel."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from analysis.figures.style import COLOURS, INK, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


@styled
def lay_out(figure: Figure) -> None:
    """Lay a figure out once, before it is written in several formats: a layout takes longer than a drawing."""
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
    """A figure, or one of its ``parts``, as an SVG element of its own, without size, prolog or metadata.

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
    for index, color in enumerate(COLOURS, start=1):
        text = text.replace(color, f"var(--series-{index}, {color})")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@contextmanager
def _alone(figure: Figure, part: Figure | SubFigure | None) -> Iterator[None]:
    others = [cell for cell in figure.subfigs if part is not None and cell is not part and part is not figure]
    for cell in others:
        cell.set_visible(False)
    yield
    for cell in others:
        cell.set_visible(True)

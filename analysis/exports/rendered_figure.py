"""One figure in every form: its panels for the page, and the whole figure as SVG, PDF and PNG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis.exports import figure_files
from analysis.exports.csv_file import panels_csv
from analysis.exports.processes import spread
from analysis.figures import svg
from analysis.figures.spec import FigureSpec
from analysis.formatting import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


_BOX: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


class Panel(NamedTuple):
    """One panel of a figure, an SVG of its own, so that a phone can put panels below each other."""

    id: str
    alt: str  # what it shows, in words
    svg: Any  # Markup: matplotlib escapes every name that stands in it


class RenderedFigure(NamedTuple):
    """One figure of a report: its words and its panels, ready for the HTML page."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


def render_all(figures: Iterable[tuple[FigureSpec, Any]]) -> tuple[tuple[RenderedFigure, ...], dict[str, bytes]]:
    """All ``figures``, each a spec and its numbers, and their files by their path in the report's folder.

    Each is drawn in another process while the numbers of the next are computed: most of a report's time is
    matplotlib's, which draws one figure at a time in a process.
    """
    results = spread(render, figures)
    files = {path: content for _, forms in results for path, content in forms.items()}
    return tuple(rendered for rendered, _ in results), files


def render(spec: FigureSpec, numbers: Any) -> tuple[RenderedFigure, dict[str, bytes]]:
    """One figure for the page, and its files by their path in the report's folder."""
    figure = spec.draw(numbers)
    svg.lay_out(figure)
    panels = [
        _panel(spec, f"{spec.name}-{index + 1}", figure, part, panel)
        for index, (part, panel) in enumerate(zip(svg.parts(figure), numbers.panels, strict=True))
    ]
    path = f"figures/{spec.name}"
    files = {
        f"{path}.csv": panels_csv(numbers.panels),
        f"{path}.svg": _together(panels).encode(),
        f"{path}.pdf": figure_files.pdf(figure),
        f"{path}.png": figure_files.png(figure),
    }
    return RenderedFigure(spec.name, spec.title, spec.caption, tuple(panels)), files


def _together(panels: Sequence[Panel]) -> str:
    """All panels in one SVG, two beside each other: to draw the whole figure once more would take as long again."""
    prolog = '<?xml version="1.0" encoding="utf-8"?>\n'
    if len(panels) == 1:
        return f"{prolog}{panels[0].svg}"
    sizes = [tuple(map(float, _BOX.findall(panel.svg)[0])) for panel in panels]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    placed = [
        # str, because Markup would escape what it is given.
        str(panel.svg).replace("<svg ", f'<svg x="{index % 2 * width:g}" y="{index // 2 * height:g}" {_size(size)} ', 1)
        for index, (panel, size) in enumerate(zip(panels, sizes, strict=True))
    ]
    rows = -(-len(panels) // 2)
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width:g} {rows * height:g}"'
    return f"{prolog}<svg {box}>\n{''.join(placed)}</svg>\n"


def _size(size: Sequence[float]) -> str:
    return f'width="{size[0]:g}" height="{size[1]:g}"'


def _panel(spec: FigureSpec, name: str, figure: Figure, part: Figure | SubFigure, panel: Any) -> Panel:
    from markupsafe import Markup

    (axes,) = part.get_axes()
    alt = f"{spec.title}: {axes.get_title()}. {axes.get_ylabel()} against {axes.get_xlabel()}, {_extent(panel)}."
    return Panel(name, alt, Markup(svg.svg(figure, name, part)))


def _extent(panel: Any) -> str:
    series = sorted({point.regularizer for point in panel.points}) if "regularizer" in panel.points[0]._fields else []
    of = f" of {', '.join(series)}" if series else ""
    return f"{count(len(panel.points), 'point')}{of}"

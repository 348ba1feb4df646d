"""One figure in every form: its panels for the page, and the whole as SVG, PDF and PNG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis import text
from analysis.csv_table import panels_csv
from analysis.exports import pictures
from analysis.exports.processes import spread
from analysis.figures import style
from analysis.sheets import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


_BOX: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


class Panel(NamedTuple):
    """One panel, an SVG of its own, so that a phone can put panels below each other."""

    id: str
    alt: str  # what it shows, in words
    svg: Any  # Markup: matplotlib escapes every name that stands in it


class Drawn(NamedTuple):
    """One figure, ready for the page."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


def draw_all(figures: Iterable[tuple[Sheet, Any]]) -> tuple[tuple[Drawn, ...], dict[str, bytes]]:
    """All ``figures``, each a sheet and its numbers, and their files by their path in the report's folder.

    Each is drawn in another process while the numbers of the next are computed: most of a report's time is
    matplotlib's, which draws one figure at a time in a process.
    """
    made = spread(draw, figures)
    return tuple(drawn for drawn, _ in made), {path: form for _, forms in made for path, form in forms.items()}


def draw(sheet: Sheet, numbers: Any) -> tuple[Drawn, dict[str, bytes]]:
    """The figure for the page, and its files by their path in the report's folder."""
    figure = sheet.draw(numbers)
    style.lay_out(figure)
    panels = [
        _panel(sheet, f"{sheet.name}-{place + 1}", figure, part, panel)
        for place, (part, panel) in enumerate(zip(style.parts(figure), numbers.panels, strict=True))
    ]
    path = f"figures/{sheet.name}"
    files = {
        f"{path}.csv": panels_csv(numbers.panels),
        f"{path}.svg": _together(panels).encode(),
        f"{path}.pdf": pictures.pdf(figure),
        f"{path}.png": pictures.png(figure),
    }
    return Drawn(sheet.name, sheet.title, sheet.caption, tuple(panels)), files


def _together(panels: Sequence[Panel]) -> str:
    """The panels in one SVG, two beside each other: drawing them once more would take as long again."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    if len(panels) == 1:
        return f"{head}{panels[0].svg}"
    sizes = [tuple(map(float, _BOX.findall(panel.svg)[0])) for panel in panels]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    placed = [
        # str, because Markup would escape what it is given.
        str(panel.svg).replace("<svg ", f'<svg x="{place % 2 * width:g}" y="{place // 2 * height:g}" {_size(size)} ', 1)
        for place, (panel, size) in enumerate(zip(panels, sizes, strict=True))
    ]
    rows = -(-len(panels) // 2)
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width:g} {rows * height:g}"'
    return f"{head}<svg {box}>\n{''.join(placed)}</svg>\n"


def _size(size: Sequence[float]) -> str:
    return f'width="{size[0]:g}" height="{size[1]:g}"'


def _panel(sheet: Sheet, name: str, figure: Figure, part: Figure | SubFigure, panel: Any) -> Panel:
    from markupsafe import Markup

    (axes,) = part.get_axes()
    alt = f"{sheet.title}: {axes.get_title()}. {axes.get_ylabel()} against {axes.get_xlabel()}, {_extent(panel)}."
    return Panel(name, alt, Markup(style.svg(figure, name, part)))


def _extent(panel: Any) -> str:
    series = sorted({point.regularizer for point in panel.points}) if "regularizer" in panel.points[0]._fields else []
    of = f" of {', '.join(series)}" if series else ""
    return f"{text.count(len(panel.points), 'point')}{of}"

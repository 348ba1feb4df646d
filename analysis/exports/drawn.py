"""One figure in every form: its panels for the page, and the whole as SVG, PDF and PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from analysis import text
from analysis.csv_table import panels_csv
from analysis.exports import pictures
from analysis.figures import style
from analysis.sheets import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def draw(sheet: Sheet, numbers: Any) -> tuple[Drawn, dict[str, bytes]]:
    """The figure for the page, and its files by their path in the report's folder."""
    made = [(sheet.draw(numbers._replace(panels=(panel,))), panel) for panel in numbers.panels]
    panels = tuple(_panel(sheet, place, *figure) for place, figure in enumerate(made, start=1))
    alone = len(panels) == 1
    whole = made[0][0] if alone else sheet.draw(numbers)
    svg = panels[0].svg if alone else style.svg(whole, sheet.name)
    # Laid out once: the layout takes most of the time of a drawing, and is the same in every form.
    whole.set_layout_engine("none")
    path = f"figures/{sheet.name}"
    files = {
        f"{path}.csv": panels_csv(numbers.panels),
        f"{path}.svg": f'<?xml version="1.0" encoding="utf-8"?>\n{svg}'.encode(),
        f"{path}.pdf": pictures.pdf(whole),
        f"{path}.png": pictures.png(whole),
    }
    return Drawn(sheet.name, sheet.title, sheet.caption, panels), files


def _panel(sheet: Sheet, place: int, figure: Figure, panel: Any) -> Panel:
    from markupsafe import Markup

    name = f"{sheet.name}-{place}"
    axes = figure.axes[0]
    # Where the axes carry no title of their own, the figure may.
    title = axes.get_title() or figure.get_suptitle()
    alt = f"{sheet.title}: {title}. {axes.get_ylabel()} against {axes.get_xlabel()}, {_extent(panel)}."
    return Panel(name, alt, Markup(style.svg(figure, name)))


def _extent(panel: Any) -> str:
    series = sorted({point.regularizer for point in panel.points}) if "regularizer" in panel.points[0]._fields else []
    of = f" of {', '.join(series)}" if series else ""
    return f"{text.count(len(panel.points), 'point')}{of}"

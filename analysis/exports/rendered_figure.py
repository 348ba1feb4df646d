"""One figure in every form: its panels for the page, and the whole figure as SVG, PDF and PNG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.exports import figure_files, latex
from analysis.exports.csv_file import formulas_sentence, panels_csv
from analysis.exports.processes import spread
from analysis.figures import svg
from analysis.figures.fonts import fallback, numbered
from analysis.figures.layout import Page, Part, arrange
from analysis.figures.spec import FigureSpec
from analysis.figures.style import arranged, report_style
from analysis.formatting import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Panel(NamedTuple):
    """One panel of a figure, an SVG of its own, so that a phone can put panels below each other."""

    id: str
    alt: str  # what it shows, in words
    svg: Any  # Markup: matplotlib escapes every name that stands in it
    is_legend: bool = False  # it is the legend of all panels


class RenderedFigure(NamedTuple):
    """One figure of a report: its words and its panels, ready for the HTML page."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


def render_all(
    figures: Iterable[tuple[FigureSpec, Any, Any, Page, str]],
) -> tuple[tuple[RenderedFigure, ...], dict[str, bytes]]:
    """All ``figures``, each with the arguments of ``render``, and their files by their path in the report's folder.

    Each is drawn in another process while the numbers of the next are computed: most of a report's time is
    matplotlib's, which draws one figure at a time in a process.
    """
    results = spread(render, figures)
    files = {path: content for _, forms in results for path, content in forms.items()}
    return tuple(rendered for rendered, _ in results), files


def render(
    spec: FigureSpec, numbers: Any, drawn: Any, paper: Page, study: str
) -> tuple[RenderedFigure, dict[str, bytes]]:
    """One figure for the page, and its files by their path in the report's folder.

    CSV has all ``numbers``, of which ``drawn`` is what the figure has room for. SVG is as the page shows it, PDF and
    PNG are arranged for ``paper``. ``study`` names it in the label of its LaTeX.
    """
    figure, layout = arranged(spec.draw, drawn)
    numbers_of = iter(drawn.panels)
    panels = [
        _panel(spec, f"{spec.name}-{index}", figure, part, None if part.axes is None else next(numbers_of, None))
        for index, part in enumerate(layout.parts, start=1)
    ]
    printed, signs = numbered(drawn, fallback(drawn).missing)
    figure = spec.draw(printed) if signs else figure
    with report_style():
        on_paper = arrange(figure, paper)
    path = f"figures/{spec.name}"
    files = {
        f"{path}.csv": panels_csv(numbers.panels),
        f"{path}.svg": svg.together([str(panel.svg) for panel in panels], layout).encode(),
        f"{path}.pdf": figure_files.pdf(figure, on_paper),
        f"{path}.png": figure_files.png(figure),
    }
    caption = spec.caption + _without_font(signs)
    wide = paper.panel > 3 and len(drawn.panels) > 1
    files[f"{path}.tex"] = latex.figure(spec.name, spec.title, caption, study, sheets=len(on_paper.sheets), wide=wide)
    return RenderedFigure(
        spec.name, spec.title, caption + formulas_sentence(files[f"{path}.csv"]), tuple(panels)
    ), files


def _without_font(signs: Mapping[str, str]) -> str:
    if not signs:
        return ""
    stands = ", ".join(f"{sign} for {run}" for sign, run in signs.items())
    return (
        f" PDF and PNG have {stands}: no font on the machine that drew them has these letters. Install one that has "
        "them (Noto Sans has most scripts) and ask for the report again."
    )


def _panel(spec: FigureSpec, name: str, figure: Figure, part: Part, panel: Any) -> Panel:
    from markupsafe import Markup

    axes = part.axes
    if axes is None or panel is None:
        return Panel(name, f"{spec.title}: legend of all panels.", Markup(svg.svg(figure, name, part)), is_legend=True)
    named = " ".join(text.replace("\u200b\n", "") for text in axes.get_title().split(" \n"))
    ends = [" ".join(text.split()) for text in (axes.get_ylabel(), axes.get_xlabel())]
    alt = f"{spec.title}: {' '.join(named.split())}. {ends[0]} against {ends[1]}, {_extent(panel)}."
    return Panel(name, alt, Markup(svg.svg(figure, name, part)))


def _extent(panel: Any) -> str:
    series = sorted({point.regularizer for point in panel.points}) if "regularizer" in panel.points[0]._fields else []
    of = f" of {', '.join(series)}" if series else ""
    return f"{count(len(panel.points), 'point')}{of}"

"""Figures as PDF and PNG for a paper, without dates, so that one figure always gives the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from analysis.figures.layout import Layout
from analysis.figures.style import report_style
from analysis.figures.svg import alone

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI: Final = 200  # of a PNG
_NO_DATES: Final = {"CreationDate": None, "Producer": None, "Creator": None}


def pdf(figure: Figure, layout: Layout) -> bytes:
    """A figure as PDF with embedded TrueType fonts, which journals ask for; a page for each sheet of ``layout``."""
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.transforms import Bbox

    sink = io.BytesIO()
    with (
        report_style(),
        matplotlib.rc_context({"pdf.fonttype": 42}),
        PdfPages(sink, metadata=dict(_NO_DATES)) as pages,
    ):
        for bottom, top in layout.sheets:
            on_page = [part for part in layout.parts if bottom <= part.bottom + part.height / 2 <= top]
            with alone(figure, on_page):
                pages.savefig(figure, bbox_inches=Bbox.from_extents(0.0, bottom, figure.get_figwidth(), top))
    return sink.getvalue()


def png(figure: Figure) -> bytes:
    """A figure as PNG on white."""
    sink = io.BytesIO()
    with report_style():
        figure.savefig(sink, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return sink.getvalue()

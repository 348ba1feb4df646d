"""Figures as PDF and PNG for a paper, without dates, so that one figure always gives the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from analysis.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI: Final = 200  # of a PNG


@styled
def pdf(figure: Figure) -> bytes:
    """A figure as PDF with embedded TrueType fonts, which journals ask for."""
    import matplotlib

    sink = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(sink, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return sink.getvalue()


@styled
def png(figure: Figure) -> bytes:
    """A figure as PNG on white."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return sink.getvalue()

"""What a figure of the report is: how its numbers are computed and drawn, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureSpec(NamedTuple):
    """One figure of the report. One without panels is left out."""

    name: str  # of its files
    title: str  # here and in the caption, {scored} stands for the images that picked the strengths
    caption: str
    compute: Callable[[Any], Any]  # of a Snapshot or of rows, a NamedTuple whose last field is ``panels``
    draw: Callable[[Any], Figure]
    most_panels: int = 36  # more are no longer looked at, and take minutes to draw

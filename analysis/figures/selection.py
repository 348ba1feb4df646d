"""Which methods and panels a figure has room for, when a study has very many, and what is said about the others."""

from __future__ import annotations

import math
from typing import Any, Final

from analysis.figures.spec import FigureSpec
from analysis.measures.results import largest_measured
from analysis.snapshot import Snapshot

#: More lines than these cannot be told apart in one panel.
MOST_METHODS: Final = 16


def by_merit(data: Snapshot) -> tuple[str, ...]:
    """The baseline, then the other methods by their mean test value on the most data, those without one last."""
    score = data.metric.score
    means = {row.regularizer: score(row.test_accuracy.mean) for row in largest_measured(data) if row.test_accuracy}
    first, *others = data.regularizers or ("",)
    return (first, *sorted(others, key=lambda name: -means.get(name, -math.inf)))


def drawn(data: Snapshot, spec: FigureSpec, numbers: Any) -> tuple[Any, str]:
    """The part of a figure's ``numbers`` that is drawn, and a sentence on what is not; all of them where they fit.

    ``numbers``: as ``spec.compute`` gives them. Its panels are of one method each, or have a line for each method.
    """
    panels = numbers.panels
    if panels and "regularizer" in panels[0]._fields:
        return _panels(data, numbers, spec.most_panels)
    names = numbers.regularizers if "regularizers" in numbers._fields else ()
    if len(names) <= MOST_METHODS or not panels:
        return numbers, ""
    kept = set(by_merit(data)[:MOST_METHODS])
    some = [
        panel._replace(points=tuple(point for point in panel.points if point.regularizer in kept)) for panel in panels
    ]
    said = (
        f" Drawn are the baseline and the {MOST_METHODS - 1} of {len(names) - 1} other regularizers that have the "
        "highest mean test accuracy; the CSV of the figure has all."
    )
    shown = tuple(name for name in names if name in kept)
    return numbers._replace(regularizers=shown, panels=tuple(panel for panel in some if panel.points)), said


def _panels(data: Snapshot, numbers: Any, most: int) -> tuple[Any, str]:
    if len(numbers.panels) <= most:
        return numbers, ""
    kept: list[Any] = []
    for name in by_merit(data):
        of_method = [panel for panel in numbers.panels if panel.regularizer == name]
        if len(kept) + len(of_method) <= most or not kept:
            kept += of_method[: most - len(kept)]
    said = (
        f" Drawn are {len(kept)} of {len(numbers.panels)} panels: those of the baseline and of the regularizers that "
        "have the highest mean test accuracy; the CSV of the figure has all."
    )
    return numbers._replace(
        panels=tuple(panel for panel in numbers.panels if id(panel) in {id(each) for each in kept})
    ), said

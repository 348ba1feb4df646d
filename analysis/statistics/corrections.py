"""Correction of p-values for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analysis.statistics.publications import Publication

#: What a paper that shows these p-values has to cite.
PUBLICATIONS: Final = (Publication("Holm's correction", "holm1979simple"),)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction; None stays None and is not counted.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = highest
    return corrected

"""Correction of p-values for the number of tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from analysis.statistics.paired_tests import LEVEL
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


def pairs_needed(comparisons: int, level: float = LEVEL) -> int:
    """Fewest pairs with which a Holm-corrected p of ``comparisons`` tests can reach ``level``.

    >>> pairs_needed(1), pairs_needed(4)
    (6, 8)
    """
    return 1 + math.ceil(math.log2(max(1, comparisons) / level))

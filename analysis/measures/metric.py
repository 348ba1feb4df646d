"""The metric of a study in the analysis: to how many digits its values differ, and scores as values."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from analysis.measures.outcomes import complete_value
from analysis.snapshot import Snapshot, finite, once

#: Decimals of a share in [0, 1]: two of a per cent.
_OF_SHARES: Final = 4
#: Digits that the spread of values is shown with, and the most decimals.
_DIGITS, _MOST = 3, 12


@once
def decimals(data: Snapshot) -> int:
    """With how many decimals values of the metric are shown: so that their spread has three digits.

    Four for accuracies, which are shown in per cent. The spread is the middle half of the confirmed runs, else of the
    trials, so that a run far away changes nothing; where all agree, the values themselves have two digits more.
    """
    if data.metric.is_accuracy:
        return _OF_SHARES
    runs = finite(data.metric.of_run(row) for row in data.final if row["state"] == "complete")
    for values in (runs, finite(complete_value(row) for row in data.trials)):
        spread = float(np.subtract(*np.quantile(values, [0.75, 0.25]))) if values else 0.0
        if spread > 0:
            return _decimals(spread, _DIGITS)
    largest = max(map(abs, runs), default=0.0)
    return _decimals(largest, _DIGITS + 2) if largest else _OF_SHARES


def in_unit(data: Snapshot, mean: float, low: float, high: float) -> tuple[float, float, float]:
    """A score with its interval, as a value of the metric with its interval."""
    return (-mean, -high, -low) if data.metric.minimized else (mean, low, high)


def _decimals(number: float, digits: int) -> int:
    return min(_MOST, max(0, digits - 1 - math.floor(math.log10(number))))

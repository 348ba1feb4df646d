"""What the runs of one study say in the statistics of the papers: one value a seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from analysis.measures.reproduction.published import Statistic
from analysis.snapshot import Snapshot, finite_or_none
from tune_reg.store import FinalRow

#: Share of the sorted runs that the trimmed mean leaves out at each end, as scipy's ``trim_mean`` does.
_TRIM: Final = 0.1

_Field: TypeAlias = Literal["max_over_epochs", "mean_last_10pct", "test_accuracy", "val_accuracy"]

_FIELDS: Final[Mapping[Statistic, _Field]] = {
    "best epoch": "max_over_epochs",
    "best epoch of the best run": "max_over_epochs",
    "last tenth of the epochs": "mean_last_10pct",
    "trimmed mean of the last tenth": "mean_last_10pct",
    "last epoch": "test_accuracy",
}


def values_by_seed(data: Snapshot, method: str, size: str, statistic: Statistic) -> dict[int, float]:
    """The value of each confirmed run of ``method`` that ended, by seed; shares in [0, 1].

    ``size``: as published, "1/8" of the training images or "50/class". The mean of the values is the statistic, and
    their standard error its own: for a trimmed mean the values are those of ``trimmed``.
    """
    values = _by_seed(data, method, size, _FIELDS[statistic])
    return trimmed(values) if statistic == "trimmed mean of the last tenth" else values


def validation_by_seed(data: Snapshot, method: str, size: str) -> dict[int, float]:
    """The validation accuracy after the last epoch of each confirmed run of ``method`` that ended, by seed."""
    return _by_seed(data, method, size, "val_accuracy")


def trimmed(values: Mapping[int, float]) -> dict[int, float]:
    """Values whose mean is the trimmed mean of ``values``, and whose standard error is its own.

    ``t + (w_i - mean(w)) / (1 - 2 g)``, with the trimmed mean t and the winsorized values w, of which g is the share
    that is cut off at each end. With fewer than ten values nothing is cut off, and they stay as they are.

    Source: Tukey and McLaughlin, Less vulnerable confidence and significance procedures for location, 1963.

    >>> trimmed({1: 0.5, 2: 0.7})
    {1: 0.5, 2: 0.7}
    """
    n = len(values)
    cut = int(_TRIM * n)
    if not cut:
        return dict(values)
    ordered = sorted(values.values())
    kept = ordered[cut : n - cut]
    mean = math.fsum(kept) / len(kept)
    winsorized = {seed: min(max(value, kept[0]), kept[-1]) for seed, value in values.items()}
    centre = math.fsum(winsorized.values()) / n
    return {seed: mean + (value - centre) * n / len(kept) for seed, value in winsorized.items()}


def _by_seed(data: Snapshot, method: str, size: str, field: _Field) -> dict[int, float]:
    rows = [row for row in data.final if row["regularizer"] == method and _is_of(row, size)]
    values = {row["seed"]: finite_or_none(row[field]) for row in rows if row["state"] == "complete"}
    return {seed: value for seed, value in sorted(values.items()) if value is not None}


def _is_of(row: FinalRow, size: str) -> bool:
    if size.endswith("/class"):
        return row["images_per_class"] == int(size.removesuffix("/class"))
    above, _, below = size.partition("/")
    return row["images_per_class"] is None and math.isclose(row["fraction"], int(above) / int(below or 1))

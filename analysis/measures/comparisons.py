"""How does each regularizer differ from the baseline: every comparison of the report, corrected together?"""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.measures.accuracy import BySeed, Setting, accuracies
from analysis.measures.attacks import Attack, areas
from analysis.measures.corruptions import corruption_means
from analysis.snapshot import Snapshot, once
from analysis.statistics import Comparison, Effect, effect, holm, paired_difference

ACCURACY: Final = "test accuracy"
AREA: Final = "mean accuracy over epsilon"
CORRUPTED: Final = "mean accuracy under corruptions"


class Compared(NamedTuple):
    """One regularizer against the baseline in one measure. Higher is better in each; shares in [0, 1]."""

    measure: str  # ACCURACY, AREA or CORRUPTED
    test: str  # the attack, where the measure is AREA
    norm: str | None
    fraction: float
    search_fraction: float
    regularizer: str
    difference: Comparison  # p_holm is corrected over all comparisons of the report
    effect: Effect


@once
def comparisons(data: Snapshot) -> tuple[Compared, ...]:
    """All paired differences to the baseline: test accuracy, area under each attack's curve, corruptions.

    They are one family: Holm's correction is over all of them, because a reader looks for a difference in all.
    """
    rows = [row for setting, values in accuracies(data).items() for row in _rows(data, ACCURACY, setting, values)]
    for (setting, attack), values in areas(data).items():
        rows += _rows(data, AREA, setting, values, attack)
    for setting, values in corruption_means(data).items():
        rows += _rows(data, CORRUPTED, setting, values)
    corrected = holm([row.difference.p for row in rows])
    return tuple(
        row._replace(difference=row.difference._replace(p_holm=p)) for row, p in zip(rows, corrected, strict=True)
    )


def compared(
    data: Snapshot, measure: str, setting: Setting, regularizer: str, attack: Attack | None = None
) -> Compared | None:
    """The comparison of ``comparisons`` in one measure, setting and regularizer; None where it was not made."""
    wanted = (measure, *(attack or ("", None)), *setting, regularizer)
    return next((row for row in comparisons(data) if row[:6] == wanted), None)


def _rows(
    data: Snapshot, measure: str, setting: Setting, values: BySeed, attack: Attack | None = None
) -> list[Compared]:
    baseline = values.get(data.baseline or "", {})
    rows = []
    for name in data.regularizers:
        runs = values.get(name, {})
        difference = None if name == data.baseline else paired_difference(runs, baseline)
        size = effect([runs[seed] - baseline[seed] for seed in sorted(runs.keys() & baseline.keys())])
        if difference is not None and size is not None:
            kind = attack or Attack("", None)
            rows.append(Compared(measure, kind.test, kind.norm, *setting, name, difference, size))
    return rows

"""Every comparison with the baseline that the report makes, corrected together."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis import robustness
from analysis.effects import Effect, effect
from analysis.robustness import Attack, BySeed, Setting
from analysis.statistics import Comparison, holm, paired_difference
from analysis.tables import Snapshot, finite, once

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
    found = [row for setting, values in accuracies(data).items() for row in _rows(data, ACCURACY, setting, values)]
    for (setting, attack), values in robustness.areas(data).items():
        found += _rows(data, AREA, setting, values, attack)
    for setting, values in robustness.corruption_means(data).items():
        found += _rows(data, CORRUPTED, setting, values)
    corrected = holm([row.difference.p for row in found])
    return tuple(
        row._replace(difference=row.difference._replace(p_holm=p)) for row, p in zip(found, corrected, strict=True)
    )


def compared(
    data: Snapshot, measure: str, setting: Setting, regularizer: str, attack: Attack | None = None
) -> Compared | None:
    """One of ``comparisons``; None where it was not made."""
    wanted = (measure, *(attack or ("", None)), *setting, regularizer)
    return next((row for row in comparisons(data) if row[:6] == wanted), None)


@once
def accuracies(data: Snapshot) -> dict[Setting, BySeed]:
    """Test accuracy of the confirmed runs that ended, by setting, regularizer and seed."""
    found: dict[Setting, BySeed] = {}
    for row in data.final:
        if row["state"] == "complete" and finite([row["test_accuracy"]]):
            group = found.setdefault(Setting(row["fraction"], row["search_fraction"]), {})
            group.setdefault(row["regularizer"], {})[row["seed"]] = row["test_accuracy"]
    return dict(sorted(found.items(), reverse=True))


def _rows(
    data: Snapshot, measure: str, setting: Setting, values: BySeed, attack: Attack | None = None
) -> list[Compared]:
    base = values.get(data.baseline or "", {})
    rows = []
    for name in data.regularizers:
        mine = values.get(name, {})
        difference = None if name == data.baseline else paired_difference(mine, base)
        size = effect([mine[seed] - base[seed] for seed in sorted(mine.keys() & base.keys())])
        if difference is not None and size is not None:
            kind = attack or Attack("", None)
            rows.append(Compared(measure, kind.test, kind.norm, *setting, name, difference, size))
    return rows

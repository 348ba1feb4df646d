"""Robustness under attack and noise, and the warnings of the attacks."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import NONE, attack_name, corrected_p, count, estimate_text, interval_text
from analysis.measures.attacks import areas, attacked_images, distances, warnings
from analysis.measures.comparisons import compared
from analysis.measures.primary import AREA
from analysis.snapshot import Snapshot
from analysis.statistics import Comparison, Estimate, mean_interval, share_interval
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


class RobustnessNumbers(NamedTuple):
    """One regularizer under one attack: area under its curve, difference to the baseline, distance."""

    fraction: float
    search_fraction: float
    test: str
    norm: str | None
    regularizer: str
    area: Estimate | None  # mean accuracy over the epsilons, share in [0, 1]
    difference: Comparison | None  # of the area to the baseline
    median_distance: Estimate | None  # on images in [0, 1]
    warned: int  # runs in which a check of the attack against itself warned


def robustness_table(data: Snapshot) -> Table:
    """Area under each attack's curve, its difference to the baseline, and the median distance to the boundary."""
    by_area, by_distance = areas(data), distances(data)
    numbers, rows = [], []
    for setting, attack in dict.fromkeys([*by_area, *by_distance]):
        warned: dict[str, int] = {}
        for row in warnings(data):
            if row[:2] == setting and (row.test, row.norm) == attack:
                warned[row.regularizer] = max(row.runs, warned.get(row.regularizer, 0))
        images = attacked_images(data).get((setting, attack))
        for name in data.regularizers:
            area = share_interval(list(by_area.get((setting, attack), {}).get(name, {}).values()), images)
            distance = mean_interval(list(by_distance.get((setting, attack), {}).get(name, {}).values()))
            if area is None and distance is None:
                continue
            comparison = compared(data, AREA, setting, name, attack)
            difference = None if comparison is None else comparison.difference
            numbers.append(RobustnessNumbers(*setting, *attack, name, area, difference, distance, warned.get(name, 0)))
            rows.append(
                (
                    where(data, *setting),
                    attack_name(*attack),
                    name,
                    str(max(each.n for each in (area, distance) if each is not None)),
                    estimate_text(area),
                    "baseline" if name == data.baseline else estimate_text(difference, signed=True),
                    "" if name == data.baseline else corrected_p(difference),
                    NONE if distance is None else interval_text(distance.mean, distance.low, distance.high, ".3f"),
                    f"warned of in {count(warned[name], 'run')}" if warned.get(name) else "",
                )
            )
    headings = (
        *("Training data", "Attack", "Regularizer", "Runs", "Mean accuracy over epsilon, %"),
        *("Difference to baseline, points", "p (Holm, within its family)", "Median distance", "Notes"),
    )
    return Table(headings, tuple(rows), tuple(numbers))


def warning_table(data: Snapshot) -> Table:
    """What the attacks' checks of themselves found."""
    warned = warnings(data)
    rows = tuple(
        (
            where(data, row.fraction, row.search_fraction),
            attack_name(row.test, row.norm),
            "" if row.epsilon is None else f"{row.epsilon:.4g}",
            row.regularizer,
            f"{row.runs} of {row.of}",
            row.warning,
        )
        for row in warned
    )
    return Table(("Training data", "Attack", "Epsilon", "Regularizer", "Runs", "Warning"), rows, warned)


ROBUSTNESS_TABLE: Final = TableSpec(
    "robustness",
    "Robustness on the test set",
    "Mean accuracy over epsilon is the area under the curve divided by its range, which the epsilons of the "
    "study set. Differences are secondary, corrected among themselves, where the study has not declared the attack as "
    "its primary question. Distance: median over images to the nearest wrong image found, mean over runs. Attacks give "
    "upper bounds: a stronger one may find more.",
    robustness_table,
)


WARNING_TABLE: Final = TableSpec(
    "attack-warnings",
    "Warnings of the attacks",
    "Where an attack's check of itself found something wrong, the accuracy under it is too high.",
    warning_table,
)

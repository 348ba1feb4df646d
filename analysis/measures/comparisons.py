"""How does each regularizer differ from the baseline: every comparison of the report, and what may be said of it?

This is the one place that decides: report, verdict, tables and the comparison of studies read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from analysis.measures.accuracy import BySeed, Setting, calibrations, measured, rounding_images
from analysis.measures.attacks import Attack, areas, attacked_images
from analysis.measures.corruptions import corrupted_images, corruption_means
from analysis.measures.primary import (
    AREA,
    CALIBRATION,
    CORRUPTED,
    in_rounds,
    is_of_metric,
    is_primary,
    margin_of,
    test_measure,
)
from analysis.measures.with_searches import WithSearches, with_searches
from analysis.snapshot import Snapshot, once
from analysis.statistics import LEVEL, Comparison, Effect, effect, holm, irregular, paired, paired_difference
from tune_reg.decisions import difference_floor, mean_test
from tune_reg.store import ACCURACY, Decision, DecisionRow, Metric

_NO_ATTACK: Final = Attack("", None)


class Compared(NamedTuple):
    """One regularizer against the baseline in one measure.

    In the unit of the metric; the measures of robustness and calibration are shares in [0, 1], and higher is better.
    """

    measure: str  # that of ``test_measure``, AREA, CORRUPTED or CALIBRATION
    test: str  # the attack, where the measure is AREA
    norm: str | None
    fraction: float
    search_fraction: float
    regularizer: str
    primary: bool  # declared before as what decides; all others are secondary
    family: int  # comparisons over which p is corrected
    rounds: bool  # confirmed in rounds: the last look decides, and its level is corrected in place of p
    difference: Comparison  # between the settings that the searches picked
    with_searches: WithSearches | None  # between the methods; None where the luck of the searches is not known
    decision: Decision  # between the settings; of a secondary one undecided where no primary one is established
    established: bool  # different between the settings, and with the luck of the searches as well
    spread: str  # what is irregular in the differences, in words: outliers, skew; empty where they spread evenly
    effect: Effect


@once
def comparisons(data: Snapshot) -> tuple[Compared, ...]:
    """All paired differences to the baseline: the metric, area under each attack's curve, corruptions, calibration.

    The primary ones come first and are one family, all others are a second one; p is Student's t, corrected by Holm
    within each. A difference between settings is decided where the corrected p is at most 0.05. Where the confirmation
    went on in rounds, the last look decides the primary ones, by its interval. The second family is tested after the
    first: nothing of it is established where nothing of the first is, so that the error of both together stays 5 %
    where no method does anything. ``established`` are differences that hold with the luck of the searches as well.
    """
    of_metric = test_measure(data)
    rows = [row for setting, runs in measured(data).items() for row in _rows(data, of_metric, setting, runs)]
    for (setting, attack), runs in areas(data).items():
        rows += _rows(data, AREA, setting, runs, attack)
    for setting, runs in corruption_means(data).items():
        rows += _rows(data, CORRUPTED, setting, runs)
    for setting, runs in calibrations(data).items():
        rows += _rows(data, CALIBRATION, setting, runs)
    primary = [row for row in rows if row.primary]
    if in_rounds(data):
        primary = [_of_look(data, row, _last_look(data, row)) for row in primary]
    else:
        primary = [_equivalent(data, row) for row in decided(primary, after=True, metric=data.metric)]
    secondary = [row for row in rows if not row.primary]
    return (*primary, *decided(secondary, after=any(row.established for row in primary), metric=data.metric))


def decided(rows: Sequence[Compared], *, after: bool, metric: Metric = ACCURACY) -> list[Compared]:
    """One family of comparisons with a fixed number of seeds, decided by Holm's correction.

    ``after``: whether what is tested before this family lets it be decided. ``metric``: of the study.
    """
    corrected = holm([row.difference.p for row in rows])
    # Where the luck of the searches is not known, the difference stands for itself in the family.
    lucky = holm([row.difference.p if row.with_searches is None else row.with_searches.p for row in rows])
    tested = sum(p is not None for p in corrected)
    rows_decided = []
    for row, p, p_lucky in zip(rows, corrected, lucky, strict=True):
        differs = after and p is not None and p <= LEVEL
        luck = row.with_searches
        holds = luck is None or (p_lucky is not None and p_lucky <= LEVEL and luck.mean * row.difference.mean > 0)
        rows_decided.append(
            row._replace(
                family=tested,
                difference=row.difference._replace(p_holm=p),
                with_searches=None if luck is None else luck._replace(p_holm=p_lucky),
                decision=_direction(metric, row) if differs else "undecided",
                established=differs and holds,
            )
        )
    return rows_decided


def compared(
    data: Snapshot, measure: str, setting: Setting, regularizer: str, attack: Attack | None = None
) -> Compared | None:
    """The comparison of ``comparisons`` in one measure, setting and regularizer; None where it was not made."""
    wanted = (measure, *(attack or _NO_ATTACK), *setting, regularizer)
    return next((row for row in comparisons(data) if row[:6] == wanted), None)


def is_better(data: Snapshot, row: Compared) -> bool:
    """Whether the mean difference is in the regularizer's favour."""
    return _direction(data.metric, row) == "superior"


def differences_of(data: Snapshot, row: Compared) -> dict[int, float]:
    """The paired differences of a comparison by seed, for whoever shows them."""
    runs = _runs(data, row.measure, Setting(row.fraction, row.search_fraction), Attack(row.test, row.norm))
    method, baseline = runs.get(row.regularizer, {}), runs.get(data.baseline or "", {})
    return dict(zip(sorted(method.keys() & baseline.keys()), paired(method, baseline), strict=True))


def images_of(data: Snapshot, row: Compared) -> int | None:
    """The test images of a comparison of shares; None where their number is not stored, and of other metrics."""
    return _images(data, row.measure, Setting(row.fraction, row.search_fraction), Attack(row.test, row.norm))


def _runs(data: Snapshot, measure: str, setting: Setting, attack: Attack) -> BySeed:
    if measure == AREA:
        return areas(data).get((setting, attack), {})
    return {CORRUPTED: corruption_means, CALIBRATION: calibrations}.get(measure, measured)(data).get(setting, {})


def _images(data: Snapshot, measure: str, setting: Setting, attack: Attack) -> int | None:
    if measure == AREA:
        return attacked_images(data).get((setting, attack))
    if measure == CALIBRATION:  # no count of images, so that nothing is known of how finely it is measured
        return None
    return (rounding_images if is_of_metric(measure) else corrupted_images)(data).get(setting)


def _rows(
    data: Snapshot, measure: str, setting: Setting, values: BySeed, attack: Attack = _NO_ATTACK
) -> list[Compared]:
    """The comparisons of one measure and setting, not decided yet."""
    baseline = values.get(data.baseline or "", {})
    images = _images(data, measure, setting, attack)
    rows = []
    for name in data.regularizers:
        runs = values.get(name, {})
        difference = None if name == data.baseline else paired_difference(runs, baseline, images)
        differences = paired(runs, baseline)
        size = _size(data, measure, differences)
        if difference is None or size is None:
            continue
        rows.append(
            Compared(
                *(measure, *attack, *setting, name),
                primary=is_primary(data, measure, attack.test, setting),
                family=0,
                rounds=False,
                difference=difference,
                with_searches=with_searches(data, measure, setting, name, differences, images),
                decision="undecided",
                established=False,
                spread=_spread(sorted(runs.keys() & baseline.keys()), differences, difference_floor(images)),
                effect=size,
            )
        )
    return rows


def _size(data: Snapshot, measure: str, differences: Sequence[float]) -> Effect | None:
    """The sizes of the differences; an improvement is one in the direction of the goal."""
    size = effect(differences)
    if size is None or not (is_of_metric(measure) and data.metric.minimized):
        return size
    return size._replace(
        improvement=1 - size.improvement,
        improvement_low=1 - size.improvement_high,
        improvement_high=1 - size.improvement_low,
    )


def _spread(seeds: Sequence[int], differences: Sequence[float], floor: float) -> str:
    """What is irregular in the differences of these seeds."""
    found = irregular(differences, floor)
    unlike = ", ".join(str(seeds[place]) for place in sorted(found.outliers))
    outliers = [f"outlier at seed {unlike}"] if found.outliers else []
    return "; ".join([*outliers, *(["skewed"] if found.skewed else [])])


def _equivalent(data: Snapshot, row: Compared) -> Compared:
    """A primary comparison with a fixed number of seeds, equivalent where its interval lies inside the study's margin.

    The interval is that of the level shared by the family, so that all of them hold together.
    """
    margin = margin_of(data)
    if margin is None or row.decision != "undecided" or row.difference.p is None or not is_of_metric(row.measure):
        return row
    floor = difference_floor(images_of(data, row))
    shared = mean_test([*differences_of(data, row).values()], floor=floor, level=LEVEL / row.family)
    inside = shared.low is not None and shared.high is not None and -margin < shared.low and shared.high < margin
    return row._replace(decision="equivalent") if inside else row


def _last_look(data: Snapshot, row: Compared) -> DecisionRow | None:
    setting = (row.fraction, row.search_fraction, row.regularizer)
    looks = [
        each for each in data.decisions if (each["fraction"], each["search_fraction"], each["regularizer"]) == setting
    ]
    return max(looks, key=lambda each: each["look"], default=None)


def _of_look(data: Snapshot, row: Compared, look: DecisionRow | None) -> Compared:
    """A primary comparison as the last look decided it; undecided where there was none yet."""
    if look is None or look["estimate"] is None:
        return row._replace(rounds=True)
    level = look["level"]
    luck = with_searches(
        data,
        row.measure,
        Setting(row.fraction, row.search_fraction),
        row.regularizer,
        list(differences_of(data, row).values()),
        images_of(data, row),
        level,
    )
    differs = look["decision"] in ("superior", "inferior")
    holds = luck is None or (luck.p is not None and luck.p <= level and luck.mean * look["estimate"] > 0)
    measured = row.difference._replace(
        n=look["n"], mean=look["estimate"], low=look["low"], high=look["high"], level=level
    )
    return row._replace(
        family=look["methods"],
        rounds=True,
        difference=measured,
        with_searches=luck,
        decision=look["decision"],
        established=differs and holds,
    )


def _direction(metric: Metric, row: Compared) -> Decision:
    mean = row.difference.mean
    return "superior" if (metric.score(mean) if is_of_metric(row.measure) else mean) > 0 else "inferior"

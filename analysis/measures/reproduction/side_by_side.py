"""Published numbers beside measured ones: difference, interval and verdict, number by number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from analysis.measures.reproduction.declared import Block, Column, Reproduction
from analysis.measures.reproduction.published import Published, Statistic, published
from analysis.measures.reproduction.runs import validation_by_seed, values_by_seed
from analysis.snapshot import Snapshot
from analysis.statistics import Estimate, mean_interval, share_interval
from tune_reg.decisions import difference_floor, mean_floor, mean_test

Verdict: TypeAlias = Literal["agrees", "differs", "cannot tell", "not compared"]

#: An interval of the difference to a published level that is wider than this to either side tells nothing: a share.
TOLERANCE: Final = 0.005


class Pick(NamedTuple):
    """Runs of the setting that was picked among those that stand for a published column."""

    method: str  # of the study
    of: int  # settings that there were
    accuracy: Estimate
    by_seed: Mapping[int, float]


class SideBySide(NamedTuple):
    """One published number and what was measured. Accuracies and differences are shares in [0, 1]."""

    block: str
    published: Published
    measured: Pick | None  # picked and measured as in the paper
    difference: Estimate | None  # measured minus published, with the error of both
    verdict: Verdict
    published_gain: float | None  # over the table's baseline
    gain: Estimate | None  # measured, paired by seed
    gain_verdict: Verdict
    validated: Pick | None  # picked on validation images, tested once after the last epoch


def side_by_side(declared: Reproduction, studies: Mapping[str, Snapshot]) -> tuple[SideBySide, ...]:
    """Every published number of the reproduced columns beside what was measured, block by block.

    ``studies``: by their path in the declaration; one that has no results yet may be missing.
    """
    numbers = published(declared.paper, declared.table)
    rows: list[SideBySide] = []
    for block in declared.blocks:
        columns = {(column.method, column.setting): column for column in block.columns}
        of_block = [
            number
            for number in numbers
            if (number.dataset, number.model) == (block.dataset, block.model)
            and (number.method, number.setting) in columns
            and number.size in block.sizes
        ]
        rows += [_row(block, columns, number, of_block, studies) for number in of_block]
    return tuple(rows)


def _row(
    block: Block,
    columns: Mapping[tuple[str, str], Column],
    number: Published,
    of_block: list[Published],
    studies: Mapping[str, Snapshot],
) -> SideBySide:
    column = columns[number.method, number.setting]
    as_published = studies.get(block.measured_in)
    on_validation = studies.get(block.on_validation or block.measured_in)
    size = block.trained_size or number.size
    measured = None if as_published is None else _picked_as_published(as_published, column, number.statistic, size)
    validated = None if on_validation is None else _picked_on_validation(on_validation, column, size)
    difference = None if measured is None else _difference(measured, number, as_published)
    level = "not compared" if block.in_place else _level_verdict(number, difference)
    base = columns.get(block.baseline) if block.baseline else None
    published_gain, gain = None, None
    if base is not None and base is not column:
        base_number = _same_but(number, base, of_block)
        if base_number is not None and number.accuracy is not None and base_number.accuracy is not None:
            published_gain = number.accuracy - base_number.accuracy
        if as_published is not None and measured is not None and base_number is not None:
            reference = _picked_as_published(as_published, base, number.statistic, size)
            gain = _gain(measured, reference, as_published)
    return SideBySide(
        block=block.name,
        published=number,
        measured=measured,
        difference=difference,
        verdict=level,
        published_gain=published_gain,
        gain=gain,
        gain_verdict=gain_verdict(published_gain, number, gain),
        validated=validated,
    )


def _same_but(number: Published, base: Column, numbers: list[Published]) -> Published | None:
    """The number of the baseline's column in the row of ``number``."""
    wanted = (base.method, base.setting, number.size, number.statistic)
    return next((n for n in numbers if (n.method, n.setting, n.size, n.statistic) == wanted), None)


def _picked_as_published(data: Snapshot, column: Column, statistic: Statistic, size: str) -> Pick | None:
    """The setting that is best in the published statistic itself, as the papers pick."""
    images = _test_images(data)
    picks = []
    for method in column.methods:
        by_seed = values_by_seed(data, method, size, statistic)
        accuracy = share_interval(list(by_seed.values()), images)
        if accuracy is None:
            continue
        if statistic == "best epoch of the best run":  # grows with the runs, and has no interval
            accuracy = Estimate(accuracy.n, max(by_seed.values()), None, None, "maximum, no interval")
        picks.append(Pick(method, len(column.methods), accuracy, by_seed))
    return max(picks, key=lambda pick: pick.accuracy.mean, default=None)


def _picked_on_validation(data: Snapshot, column: Column, size: str) -> Pick | None:
    """The setting whose mean validation accuracy is highest, with its accuracy on the test set after the last epoch."""
    images = _test_images(data)
    scored = []
    for method in column.methods:
        validation = validation_by_seed(data, method, size)
        tested = values_by_seed(data, method, size, "last epoch")
        accuracy = share_interval(list(tested.values()), images)
        if accuracy is not None and validation:
            mean = math.fsum(validation.values()) / len(validation)
            scored.append((mean, Pick(method, len(column.methods), accuracy, tested)))
    return max(scored, key=lambda entry: entry[0], default=(0.0, None))[1]


def _difference(measured: Pick, number: Published, data: Snapshot | None) -> Estimate | None:
    """Measured minus published, with the error of both.

    The published mean has the error of its own runs; where the paper gives no deviation, its runs are taken to vary as
    the measured ones do.
    """
    if number.accuracy is None or number.statistic == "best epoch of the best run":
        return None
    values = list(measured.by_seed.values())
    floor = mean_floor(_test_images(data))
    error = mean_test(values, floor=floor).error
    if number.deviation is not None:
        spread = number.deviation**2
    else:
        spread = 0.0 if error is None else len(values) * error**2
    test = mean_test(values, floor=floor, shift=-number.accuracy, shift_variance=spread / number.trials)
    return Estimate(test.n, test.mean, test.low, test.high, "Student t")


def _gain(measured: Pick, base: Pick | None, data: Snapshot) -> Estimate | None:
    if base is None:
        return None
    seeds = sorted(measured.by_seed.keys() & base.by_seed.keys())
    if not seeds or measured.accuracy.method == "maximum, no interval":
        return None
    return mean_interval(
        [measured.by_seed[seed] - base.by_seed[seed] for seed in seeds], difference_floor(_test_images(data))
    )


def _level_verdict(number: Published, difference: Estimate | None) -> Verdict:
    if number.accuracy is None or number.statistic == "best epoch of the best run":
        return "not compared"
    if difference is None or difference.low is None or difference.high is None:
        return "cannot tell"
    if difference.low > 0 or difference.high < 0:
        return "differs"
    return "agrees" if max(-difference.low, difference.high) <= TOLERANCE else "cannot tell"


def gain_verdict(published_gain: float | None, number: Published, gain: Estimate | None) -> Verdict:
    """Whether a measured gain over the baseline agrees with the published one.

    It differs where the interval of measured minus published gain, with the error of both, leaves 0 out. It agrees
    where that interval holds 0 and the interval of the measured gain does not: the published gain fits, and none does
    not. Where both fit, the runs cannot tell.
    """
    if published_gain is None or number.statistic == "best epoch of the best run":
        return "not compared"
    if gain is None or gain.low is None or gain.high is None:
        return "cannot tell"
    half = (gain.high - gain.low) / 2 * math.sqrt(1 + gain.n / number.trials)
    if abs(gain.mean - published_gain) > half:
        return "differs"
    return "agrees" if gain.low > 0 or gain.high < 0 else "cannot tell"


def _test_images(data: Snapshot | None) -> int | None:
    if data is None:
        return None
    return min((row["n_test"] for row in data.final if row["n_test"]), default=None)

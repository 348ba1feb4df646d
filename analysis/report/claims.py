"""What may be claimed from the confirmed runs, and what may not, in sentences."""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.formatting import count, p_value, params_text, points_text
from analysis.measures.attacks import warnings
from analysis.measures.comparisons import ACCURACY, AREA, Compared, comparisons
from analysis.measures.data_equivalence import MEASURED as WITHIN
from analysis.measures.data_equivalence import Equivalence, equivalences
from analysis.measures.results import ResultRow, result_table
from analysis.report.cautions import cautions
from analysis.report.claim_rule import may_be_claimed
from analysis.report.kinds import CAUTION, MAY, MAY_NOT, MEASURED
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Comparison, Estimate, established
from analysis.wording import where


class Claim(NamedTuple):
    """One sentence on what the study shows."""

    kind: str  # MEASURED, MAY, MAY_NOT or CAUTION
    sentence: str


def claims(source: Source) -> tuple[Claim, ...]:
    """What may be claimed and what may not, in sentences built from the intervals and the corrected tests.

    A difference may be claimed where the Holm-corrected p is at most 0.05 and the 95 % interval leaves out zero,
    both; and never where strengths were picked on the test set. A gain in robustness may not be claimed where the
    attack's check of itself warned. One family of tests: test accuracy, every attack and the corruptions.
    """
    data = snapshot(source)
    rows = result_table(data)
    tested = [*_accuracies(data, rows), *_robustness(data)]
    tested.sort(key=lambda claim: claim.kind != MAY)
    sentences = [*_highest(data, rows), *_worths(data), *tested]
    if sum(row.difference is not None for row in rows) > 1:
        between = "That one regularizer is better than another, apart from the baseline: that is not tested."
        sentences.append(Claim(MAY_NOT, between))
    return (*sentences, *(Claim(CAUTION, sentence) for sentence in cautions(data)))


def _accuracies(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[Claim]:
    """Claims on test accuracy: one for each established difference, one a training set for all others."""
    sentences: list[Claim] = []
    by_chance: dict[str, list[tuple[str, Comparison]]] = {}
    for row in rows:
        difference, on = row.difference, f"On {where(data, row.fraction, row.search_fraction)}"
        if difference is None:
            continue
        pair = f"{row.regularizer} and {data.baseline}"
        if difference.low is None or difference.high is None or difference.p_holm is None:
            alone = f"one seed has no spread to judge by ({points_text(difference.mean)} points)"
            sentences.append(Claim(MAY_NOT, f"{on}, that {pair} differ: {alone}."))
            continue
        numbers = (
            f"{points_text(difference.mean)} points of test accuracy, 95 % interval {points_text(difference.low)} to "
            f"{points_text(difference.high)}, {_tested(difference)}"
        )
        if not established(difference):
            by_chance.setdefault(on, []).append((row.regularizer, difference))
        elif may_be_claimed(data, difference):
            better = "more" if difference.mean > 0 else "less"
            sentence = f"{on}, {row.regularizer} is {better} accurate than {data.baseline}: {numbers}."
            sentences.append(Claim(MAY, sentence))
        else:
            doubt = "but the strengths were picked on this very test set"
            sentences.append(Claim(MAY_NOT, f"{on}, that {pair} differ: {numbers}, {doubt}."))
    return sentences + [Claim(MAY_NOT, _not_shown(data, on, differences)) for on, differences in by_chance.items()]


def _tested(difference: Comparison) -> str:
    return f"{count(difference.n, 'pair')} of runs, corrected p {p_value(difference.p_holm)}"


def _not_shown(data: Snapshot, on: str, differences: list[tuple[str, Comparison]]) -> str:
    each = []
    for name, difference in differences:
        interval = f"{points_text(difference.low or 0.0)} to {points_text(difference.high or 0.0)}"
        each.append(f"{name} {points_text(difference.mean)} ({interval}), p {p_value(difference.p_holm or 0.0)}")
    pairs = sorted({difference.n for _, difference in differences})
    runs = count(pairs[-1], "pair") if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]} pairs"
    return (
        f"{on}, that any of these differs from {data.baseline} (points of test accuracy, 95 % interval, corrected "
        f"p; {runs} of runs): {'; '.join(each)}."
    )


def _highest(data: Snapshot, rows: tuple[ResultRow, ...]) -> list[Claim]:
    """The highest mean of each training set, beside the baseline's."""
    sentences = []
    for setting in sorted({(row.fraction, row.search_fraction) for row in rows}, reverse=True):
        group = [(row, row.test_accuracy) for row in rows if (row.fraction, row.search_fraction) == setting]
        measured = [(row, mean) for row, mean in group if mean is not None]
        if not measured:
            continue
        best, mean = max(measured, key=lambda pair: pair[1].mean)
        strength = f" with {params_text(best.params[0])}" if best.params and best.params[0] else ""
        baseline = [
            f"; {row.regularizer}, the baseline, has {_percent(other)}" for row, other in measured if row.is_baseline
        ]
        sentence = (
            f"On {where(data, *setting)} the highest mean test accuracy, over {count(mean.n, 'run')}, is that of "
            f"{best.regularizer}{strength}: {_percent(mean)}{'' if best.is_baseline else ''.join(baseline)}."
        )
        sentences.append(Claim(MEASURED, sentence))
    return sentences


def _percent(mean: Estimate) -> str:
    interval = "" if mean.low is None or mean.high is None else f" ({100 * mean.low:.2f} to {100 * mean.high:.2f})"
    return f"{100 * mean.mean:.2f} %{interval}"


def _robustness(data: Snapshot) -> list[Claim]:
    """Claims on robustness: one for each established difference, one for all others, since these are mostly many."""
    sentences, others = [], 0
    for row in comparisons(data):
        difference = row.difference
        if row.measure == ACCURACY:
            continue
        if difference.low is None or difference.high is None or not established(difference):
            others += 1
            continue
        under = f"under {row.test}" if row.measure == AREA else "under corruptions"
        better = "more" if difference.mean > 0 else "less"
        claim = (
            f"On {where(data, row.fraction, row.search_fraction)}, {under}, {row.regularizer} is {better} accurate "
            f"than {data.baseline}: {points_text(difference.mean)} points of {row.measure}, 95 % interval "
            f"{points_text(difference.low)} to {points_text(difference.high)}, {_tested(difference)}"
        )
        if not may_be_claimed(data, difference):
            sentences.append(Claim(MAY_NOT, f"{claim}; but the strengths were picked on the test set."))
        elif difference.mean > 0 and _warned(data, row):
            doubt = "the attack's check of itself warned, so that the accuracy under it may be too high"
            sentences.append(Claim(MAY_NOT, f"{claim}; but {doubt}."))
        else:
            sentences.append(Claim(MAY, f"{claim}."))
    if others:
        every = count(others, "comparison")
        differs = f"That a regularizer differs from {data.baseline} in {every} under attack or corruption"
        more = " more" if sentences else ""
        sentences.append(Claim(MAY_NOT, f"{differs}{more}: they stand in the table of comparisons."))
    return sentences


def _warned(data: Snapshot, row: Compared) -> bool:
    return any(
        (warning.fraction, warning.search_fraction, warning.regularizer, warning.test, warning.norm)
        == (row.fraction, row.search_fraction, row.regularizer, row.test, row.norm)
        for warning in warnings(data)
    )


def _worths(data: Snapshot) -> list[Claim]:
    """What each regularizer is worth in images, with the fewest images for which that was measured."""
    fewest: dict[str, Equivalence] = {}
    for row in equivalences(data):
        before = fewest.get(row.regularizer)
        if row.place == WITHIN and row.factor > 1 and (before is None or row.images < before.images):
            fewest[row.regularizer] = row
    return [Claim(MEASURED, _worth(data, row)) for row in fewest.values()]


def _worth(data: Snapshot, row: Equivalence) -> str:
    interval = "one seed, no interval"
    if row.low is not None and row.high is not None:
        high = "more than there are" if math.isinf(row.high) else f"{row.high:,.0f}"
        low = "fewer than were measured" if row.low == 0 else f"{row.low:,.0f}"
        interval = f"95 % interval {low} to {high}, {count(row.n, 'seed')}"
    return (
        f"On {where(data, row.fraction, row.search_fraction)} {row.regularizer} has with {row.images:,} images the "
        f"mean accuracy for which {data.baseline} needs {row.needed:,.0f} ({interval}), interpolating its curve over "
        f"{row.sizes} sizes."
    )

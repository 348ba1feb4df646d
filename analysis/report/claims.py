"""What may be claimed from the confirmed runs, and what may not, in sentences."""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.formatting import count, p_value, params_text, points_text
from analysis.measures.attacks import warnings
from analysis.measures.claim_rule import equivalent, may_be_claimed, waits_for_a_primary
from analysis.measures.comparisons import Compared, comparisons
from analysis.measures.data_equivalence import MEASURED as WITHIN
from analysis.measures.data_equivalence import Equivalence, equivalences
from analysis.measures.primary import ACCURACY
from analysis.measures.results import ResultRow, result_table
from analysis.report.cautions import cautions
from analysis.report.kinds import CAUTION, MAY, MAY_NOT, MEASURED
from analysis.report.sentences import SETTINGS, claim_text, difference_text, level_text, luck_text, tested_text, why_not
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Estimate
from analysis.wording import baseline_text, where


class Claim(NamedTuple):
    """One sentence on what the study shows."""

    kind: str  # MEASURED, MAY, MAY_NOT or CAUTION
    sentence: str


def claims(source: Source) -> tuple[Claim, ...]:
    """What may be claimed and what may not, in sentences built from the intervals and the corrected tests.

    A difference may be claimed where it is established (``comparisons``): between the settings that the searches
    picked, and with the luck of the searches where that is known; never where strengths were picked on the test set. A
    gain in robustness may not be claimed where the attack's check of itself warned. The primary comparisons come
    before the secondary ones, which are claimed only beside a primary one.
    """
    data = snapshot(source)
    rows = result_table(data)
    tested = [*_accuracies(data), *_robustness(data), *_waiting(data)]
    tested.sort(key=lambda claim: claim.kind != MAY)
    sentences = [*_highest(data, rows), *_worths(data), *tested]
    if sum(row.difference is not None for row in rows) > 1:
        between = "That one regularizer is better than another, apart from the baseline: that is not tested."
        sentences.append(Claim(MAY_NOT, between))
    return (*sentences, *(Claim(CAUTION, sentence) for sentence in cautions(data)))


def _accuracies(data: Snapshot) -> list[Claim]:
    """Claims on test accuracy: one for each decided difference, one a training set for all others."""
    sentences: list[Claim] = []
    open_still: dict[tuple[str, str], list[Compared]] = {}
    for row in comparisons(data):
        if row.measure != ACCURACY:
            continue
        pair, on = f"{row.regularizer} and {baseline_text(data)}", _on(data, row)
        if row.difference.p is None:
            reason = why_not(data, row)
            sentences.append(Claim(MAY_NOT, f"{on}, that {pair} differ: {difference_text(row)}; {reason}."))
        elif may_be_claimed(data, row):
            sentences.append(Claim(MAY, f"{on}, {claim_text(data, row)}."))
        elif (margin := equivalent(data, row)) is not None:
            sentences.append(Claim(MAY, f"{_as_accurate(data, row, margin)}."))
        elif row.decision == "undecided":
            open_still.setdefault((on, level_text(row)), []).append(row)
        else:
            sentences.append(Claim(MAY_NOT, f"{on}, {_not_of_methods(data, row)}."))
    return sentences + [Claim(MAY_NOT, _not_shown(data, on, rows)) for (on, _), rows in open_still.items()]


def _on(data: Snapshot, row: Compared) -> str:
    return f"{'On' if row.primary else 'Secondary: on'} {where(data, row.fraction, row.search_fraction)}"


def _as_accurate(data: Snapshot, row: Compared, margin: float) -> str:
    return (
        f"{_on(data, row)}, {SETTINGS}, {row.regularizer} is as accurate as {baseline_text(data)} within "
        f"{100 * margin:.4g} points: {difference_text(row)}, {tested_text(row)}; {luck_text(row)}"
    )


def _not_of_methods(data: Snapshot, row: Compared) -> str:
    """A difference between the settings that the searches picked, and why it is not claimed of the methods."""
    numbers = f"{SETTINGS} {difference_text(row)}, {tested_text(row)}"
    if row.decision == "equivalent":
        return f"that {row.regularizer} is as accurate as {baseline_text(data)}: {numbers}; {luck_text(row)}"
    than = f"{'more' if row.difference.mean > 0 else 'less'} accurate than {baseline_text(data)}"
    if data.picked_on_test:
        return f"that {row.regularizer} is {than}: {numbers}, but the strengths were picked on this very test set"
    return f"that {row.regularizer} is {than}: {numbers}; {why_not(data, row)}"


def _not_shown(data: Snapshot, on: str, rows: list[Compared]) -> str:
    each = []
    for row in rows:
        low, high = row.difference.low or 0.0, row.difference.high or 0.0
        p = row.difference.p if row.rounds else row.difference.p_holm
        numbers = f"{points_text(row.difference.mean)} ({points_text(low)} to {points_text(high)}), p {p_value(p)}"
        each.append(f"{row.regularizer} {numbers}")
    pairs = sorted({row.difference.n for row in rows})
    runs = count(pairs[-1], "pair") if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]} pairs"
    what = f"points of test accuracy, {level_text(rows[0])}, {'unadjusted' if rows[0].rounds else 'corrected'} p"
    return f"{on}, that any of these differs from {baseline_text(data)} ({what}; {runs} of runs): {'; '.join(each)}."


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
    """Claims on robustness and calibration: one for each established difference, one for all others: they are many."""
    sentences, others = [], 0
    for row in comparisons(data):
        if row.measure == ACCURACY:
            continue
        if row.decision == "undecided":
            others += 1
        elif not may_be_claimed(data, row):
            doubt = "the strengths were picked on the test set"
            sentences.append(Claim(MAY_NOT, f"{_on(data, row)}, {claim_text(data, row)}; but {doubt}."))
        elif row.difference.mean > 0 and _warned(data, row):
            doubt = "the attack's check of itself warned, so that the accuracy under it may be too high"
            sentences.append(Claim(MAY_NOT, f"{_on(data, row)}, {claim_text(data, row)}; but {doubt}."))
        else:
            sentences.append(Claim(MAY, f"{_on(data, row)}, {claim_text(data, row)}."))
    if others:
        every = count(others, "comparison")
        differs = f"That a regularizer differs from {baseline_text(data)} in {every} of robustness or calibration"
        more = " more" if sentences else ""
        sentences.append(Claim(MAY_NOT, f"{differs}{more}: they stand in the table of comparisons."))
    return sentences


def _waiting(data: Snapshot) -> list[Claim]:
    """Secondary comparisons that passed their correction, and are not decided since no primary one is established."""
    waiting = sum(map(waits_for_a_primary, comparisons(data)))
    if not waiting:
        return []
    passed = f"{count(waiting, 'secondary comparison')} passed the correction"
    why = "but the secondary family is claimed only beside an established primary difference, and there is none"
    return [Claim(MAY_NOT, f"{passed}, {why}.")]


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
        f"mean accuracy for which {baseline_text(data)} needs {row.needed:,.0f} ({interval}), interpolating its curve "
        f"over {row.sizes} sizes."
    )

"""What may be claimed from the confirmed runs, and what may not, in sentences."""

from __future__ import annotations

from typing import NamedTuple

from analysis.formatting import count
from analysis.measures.attacks import warnings
from analysis.measures.claim_rule import equivalent, may_be_claimed, waits_for_a_primary
from analysis.measures.comparisons import Compared, comparisons, is_better
from analysis.measures.primary import is_of_metric
from analysis.measures.results import result_table
from analysis.metric_text import metric_text
from analysis.report.cautions import cautions
from analysis.report.kinds import CAUTION, MAY, MAY_NOT
from analysis.report.sentences import SETTINGS, claim_text, difference_text, luck_text, tested_text, why_not
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.wording import baseline_text, where


class Claim(NamedTuple):
    """One sentence on what the study shows."""

    kind: str  # MAY, MAY_NOT or CAUTION
    sentence: str


def claims(source: Source) -> tuple[Claim, ...]:
    """What may be claimed and what may not, in sentences built from the intervals and the corrected tests.

    A difference may be claimed where it is established (``comparisons``): between the settings that the searches
    picked, and with the luck of the searches where that is known; never where strengths were picked on the test set. A
    gain in robustness may not be claimed where the attack's check of itself warned. The primary comparisons come
    before the secondary ones, which are claimed only beside a primary one. No sentence is a row of a table in words.
    """
    data = snapshot(source)
    sentences = [*_of_metric(data), *_robustness(data), *_waiting(data)]
    sentences.sort(key=lambda claim: claim.kind != MAY)
    if sum(row.difference is not None for row in result_table(data)) > 1:
        between = "That one regularizer is better than another, apart from the baseline: that is not tested."
        sentences.append(Claim(MAY_NOT, between))
    return (*sentences, *(Claim(CAUTION, sentence) for sentence in cautions(data)))


def _of_metric(data: Snapshot) -> list[Claim]:
    """Claims on the metric of the study: one for each decided difference, one for those undecided on a training set.

    Training sets on which the same regularizers are undecided share one.
    """
    sentences: list[Claim] = []
    undecided: dict[tuple[float, float], list[Compared]] = {}
    for row in comparisons(data):
        if not is_of_metric(row.measure):
            continue
        pair, on = f"{row.regularizer} and {baseline_text(data)}", _on(data, row)
        if row.difference.p is None:
            reason = why_not(data, row)
            sentences.append(Claim(MAY_NOT, f"{on}, that {pair} differ: {difference_text(data, row)}; {reason}."))
        elif may_be_claimed(data, row):
            sentences.append(Claim(MAY, f"{on}, {claim_text(data, row)}."))
        elif (margin := equivalent(data, row)) is not None:
            sentences.append(Claim(MAY, f"{_as_good(data, row, margin)}."))
        elif row.decision == "undecided":
            undecided.setdefault((row.fraction, row.search_fraction), []).append(row)
        else:
            sentences.append(Claim(MAY_NOT, f"{on}, {_not_of_methods(data, row)}."))
    alike: dict[tuple[bool, tuple[str, ...]], list[Compared]] = {}
    for rows in undecided.values():
        alike.setdefault((rows[0].primary, tuple(row.regularizer for row in rows)), []).extend(rows)
    return sentences + [Claim(MAY_NOT, _not_shown(data, rows)) for rows in alike.values()]


def _on(data: Snapshot, row: Compared) -> str:
    return f"{'On' if row.primary else 'Secondary: on'} {where(data, row.fraction, row.search_fraction)}"


def _as_good(data: Snapshot, row: Compared, margin: float) -> str:
    text = metric_text(data)
    return (
        f"{_on(data, row)}, {SETTINGS}, {row.regularizer} is {text.as_good} {baseline_text(data)} within "
        f"{text.size(margin)}: {difference_text(data, row)}, {tested_text(row)}; {luck_text(data, row)}"
    )


def _not_of_methods(data: Snapshot, row: Compared) -> str:
    """A difference between the settings that the searches picked, and why it is not claimed of the methods."""
    text = metric_text(data)
    numbers = f"{SETTINGS} {difference_text(data, row)}, {tested_text(row)}"
    if row.decision == "equivalent":
        return f"that {row.regularizer} is {text.as_good} {baseline_text(data)}: {numbers}; {luck_text(data, row)}"
    than = f"{text.than(better=is_better(data, row))} than {baseline_text(data)}"
    if data.picked_on_test:
        return f"that {row.regularizer} is {than}: {numbers}, but the strengths were picked on this very test set"
    return f"that {row.regularizer} is {than}: {numbers}; {luck_text(data, row)}: {why_not(data, row)}"


def _not_shown(data: Snapshot, rows: list[Compared]) -> str:
    """The regularizers that are undecided on some training sets; their numbers stand in the table of comparisons."""
    pairs = sorted({row.difference.n for row in rows})
    runs = count(pairs[-1], "pair") if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]} pairs"
    names = list(dict.fromkeys(row.regularizer for row in rows))
    on = "; ".join(dict.fromkeys(_on(data, row) for row in rows)).replace("; Secondary: on", "; on")
    differ = f"that {', '.join(names)} differ{'s' * (len(names) == 1)} from {baseline_text(data)}"
    return f"{on}, {differ}: undecided after {runs} of runs."


def _robustness(data: Snapshot) -> list[Claim]:
    """Claims on robustness and calibration: one for each established difference, one for all others: they are many."""
    sentences, others = [], 0
    for row in comparisons(data):
        if is_of_metric(row.measure):
            continue
        if row.decision == "undecided":
            others += 1
        elif not may_be_claimed(data, row):
            doubt = "the strengths were picked on the test set"
            sentences.append(Claim(MAY_NOT, f"{_on(data, row)}, {claim_text(data, row)}; but {doubt}."))
        elif is_better(data, row) and _warned(data, row):
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

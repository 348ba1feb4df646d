"""Words for a difference to the baseline, which the claims, the verdict and the comparison of studies share."""

from __future__ import annotations

from typing import Final

from analysis.formatting import count, p_value
from analysis.measures.claim_rule import Need, needed, waits_for_a_primary
from analysis.measures.comparisons import Compared, is_better
from analysis.measures.primary import AREA, CALIBRATION, CORRUPTED, is_of_metric
from analysis.metric_text import text_of
from analysis.snapshot import Snapshot
from analysis.statistics import LEVEL
from analysis.wording import baseline_text

#: What every claim is about: settings were compared, and not methods at their best.
SETTINGS: Final = "with the settings that this search found"


def claim_text(data: Snapshot, row: Compared) -> str:
    """What may be claimed of a method and the baseline: of these settings, and with the luck of their searches."""
    under = {AREA: f"under {row.test}, ", CORRUPTED: "under corruptions, "}.get(row.measure, "")
    better = is_better(data, row)
    than = text_of(data, row.measure).than(better=better)
    if row.measure == CALIBRATION:
        than = "better calibrated" if better else "worse calibrated"
    return (
        f"{under}{SETTINGS}, {row.regularizer} is {than} than {baseline_text(data)}: {difference_text(data, row)}, "
        f"{tested_text(row)}; {luck_text(data, row)}"
    )


def level_text(row: Compared) -> str:
    """The confidence of a comparison's interval.

    "95 % interval", but for a look of a confirmation in rounds, whose nominal level is stricter.
    """
    return f"{100 * (1 - row.difference.level):.4g} % interval"


def difference_text(data: Snapshot, row: Compared) -> str:
    """The difference between the settings with its interval, in the unit of the measure."""
    text, low, high = text_of(data, row.measure), row.difference.low, row.difference.high
    interval = "" if low is None or high is None else f", {level_text(row)} {text.signed(low)} to {text.signed(high)}"
    return f"{text.difference_of(row.measure, text.signed(row.difference.mean))}{interval}"


def tested_text(row: Compared) -> str:
    """The pairs of runs and the p that decides, with what it is held against."""
    pairs = f"{count(row.difference.n, 'pair')} of runs"
    if _before_the_first_look(row):
        return pairs
    if row.rounds:
        return f"{pairs}, unadjusted p {p_value(row.difference.p)} at the nominal level {row.difference.level:.4f}"
    return f"{pairs}, corrected p {p_value(row.difference.p_holm)}"


def luck_text(data: Snapshot, row: Compared) -> str:
    """The difference with the luck of both searches, or that the luck is not known."""
    luck, text = row.with_searches, text_of(data, row.measure)
    if luck is None:
        alone = "this is about these settings alone"
        return f"{alone}, as the luck of the searches is not known" if is_of_metric(row.measure) else alone
    known = luck.low is not None and luck.high is not None
    interval = f" ({text.signed(luck.low or 0.0)} to {text.signed(luck.high or 0.0)})" if known else ""
    return f"with the luck of both searches {text.signed(luck.mean)}{interval}"


def why_not(data: Snapshot, row: Compared) -> str:
    """Why a difference is not established, and how many pairs of runs would do, as the end of a sentence."""
    if row.difference.n == 1:
        return "one pair of runs has no spread to judge by; train more seeds"
    if row.difference.p is None:
        if text_of(data, row.measure).is_accuracy:
            return "the pairs agree to the last digit, and the number of test images is not stored to judge that by"
        return "the pairs agree to the last digit, and nothing says how finely they were measured"
    if _before_the_first_look(row):
        return "it is confirmed in rounds, and the first look is still to come"
    if waits_for_a_primary(row):
        return "this is a secondary comparison, which is claimed only beside a primary one"
    undecided = row.decision == "undecided"
    reason = "the seeds leave it open" if undecided else "a longer search may change it"
    return f"{reason}{_needed_text(needed(data, row), row.difference.n)}"


def _before_the_first_look(row: Compared) -> bool:
    return row.rounds and row.difference.level == LEVEL


def _needed_text(need: Need, pairs: int) -> str:
    if need.trials:
        return "; no number of seeds would decide it, as the luck of the searches is larger: more trials would"
    if need.pairs is None:
        return ", and it is too near to zero for any number of seeds to establish it"
    if need.pairs <= pairs:
        return "; a few more pairs of runs are likely to do"
    return f"; if it is as large as it seems, {need.pairs:,} pairs of runs would do in four of five studies"

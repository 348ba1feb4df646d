"""Words for a difference to the baseline, which the claims, the verdict and the comparison of studies share."""

from __future__ import annotations

from typing import Final

from analysis.formatting import count, p_value, points_text
from analysis.measures.claim_rule import Need, needed, waits_for_a_primary
from analysis.measures.comparisons import Compared
from analysis.measures.primary import ACCURACY, AREA, CALIBRATION, CORRUPTED
from analysis.snapshot import Snapshot
from analysis.statistics import LEVEL
from analysis.wording import baseline_text

#: What every claim is about: settings were compared, and not methods at their best.
SETTINGS: Final = "with the settings that this search found"


def claim_text(data: Snapshot, row: Compared) -> str:
    """What may be claimed of a method and the baseline: of these settings, and with the luck of their searches."""
    under = {AREA: f"under {row.test}, ", CORRUPTED: "under corruptions, "}.get(row.measure, "")
    calibrated = ("worse calibrated", "better calibrated")
    words = calibrated if row.measure == CALIBRATION else ("less accurate", "more accurate")
    better = words[row.difference.mean > 0]
    return (
        f"{under}{SETTINGS}, {row.regularizer} is {better} than {baseline_text(data)}: {difference_text(row)}, "
        f"{tested_text(row)}; {luck_text(row)}"
    )


def level_text(row: Compared) -> str:
    """The confidence of a comparison's interval.

    "95 % interval", but for a look of a confirmation in rounds, whose nominal level is stricter.
    """
    return f"{100 * (1 - row.difference.level):.4g} % interval"


def difference_text(row: Compared) -> str:
    """The difference between the settings with its interval, in points."""
    return f"{points_text(row.difference.mean)} points of {row.measure}{_interval(row)}"


def tested_text(row: Compared) -> str:
    """The pairs of runs and the p that decides, with what it is held against."""
    pairs = f"{count(row.difference.n, 'pair')} of runs"
    if _before_the_first_look(row):
        return pairs
    if row.rounds:
        return f"{pairs}, unadjusted p {p_value(row.difference.p)} at the nominal level {row.difference.level:.4f}"
    return f"{pairs}, corrected p {p_value(row.difference.p_holm)}"


def luck_text(row: Compared) -> str:
    """The difference with the luck of both searches, or that the luck is not known."""
    luck = row.with_searches
    if luck is None:
        alone = "this is about these settings alone"
        return f"{alone}, as the luck of the searches is not known" if row.measure == ACCURACY else alone
    interval = "" if luck.low is None or luck.high is None else f" ({_ends(luck.low, luck.high)})"
    return f"with the luck of both searches {points_text(luck.mean)}{interval}"


def why_not(data: Snapshot, row: Compared) -> str:
    """Why a difference is not established, and how many pairs of runs would do, as the end of a sentence."""
    if row.difference.n == 1:
        return "one pair of runs has no spread to judge by; train more seeds"
    if row.difference.p is None:
        return "the pairs agree to the last digit, and the number of test images is not stored to judge that by"
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


def _interval(row: Compared) -> str:
    low, high = row.difference.low, row.difference.high
    return "" if low is None or high is None else f", {level_text(row)} {_ends(low, high)}"


def _ends(low: float, high: float) -> str:
    return f"{points_text(low)} to {points_text(high)}"

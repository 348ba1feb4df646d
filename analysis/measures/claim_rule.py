"""When a difference to the baseline may be claimed, and what it would take where it may not."""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.measures.comparisons import Compared, differences_of, images_of
from analysis.measures.primary import margin_of
from analysis.snapshot import Snapshot
from analysis.statistics import LEVEL, pairs_needed
from tune_reg.decisions import difference_floor


class Need(NamedTuple):
    """What would establish a difference of the size that was seen."""

    pairs: int | None  # pairs of runs, in four of five studies; None where no number of them is enough
    trials: bool  # more trials in the searches, whose luck no pair makes smaller


def may_be_claimed(data: Snapshot, row: Compared) -> bool:
    """Whether a difference may be claimed: it is established, and strengths were not picked on the test set."""
    return row.established and not data.picked_on_test


def waits_for_a_primary(row: Compared) -> bool:
    """Whether a secondary comparison passed its correction, and is not decided since no primary one is established."""
    p = row.difference.p_holm
    return not row.primary and row.decision == "undecided" and p is not None and p <= LEVEL


def equivalent(data: Snapshot, row: Compared) -> float | None:
    """The margin within which a method may be called as accurate as the baseline; None where it may not.

    The interval between the settings must lie inside the margin of the study, and so must the one be that counts the
    luck of the searches.
    """
    margin, luck = margin_of(data), row.with_searches
    if margin is None or row.decision != "equivalent" or data.picked_on_test:
        return None
    if luck is None:
        return margin
    inside = luck.low is not None and luck.high is not None and -margin < luck.low and luck.high < margin
    return margin if inside else None


def needed(data: Snapshot, row: Compared) -> Need:
    """How many pairs would establish a difference of the size and spread that were seen, or whether trials would."""
    differences = list(differences_of(data, row).values())
    n, centre = len(differences), row.difference.mean
    if n < 2:
        return Need(None, trials=False)
    variance = math.fsum((value - centre) ** 2 for value in differences) / (n - 1)
    spread = math.sqrt(max(variance, difference_floor(images_of(data, row))))
    # The first of a family of k is held against a k-th of the level; in rounds the level of the look is that already.
    level = row.difference.level / (1 if row.rounds else max(1, row.family))
    luck = row.with_searches
    alone = pairs_needed(centre, spread, level)
    if luck is None:
        return Need(alone, trials=False)
    together = pairs_needed(centre, spread, level, shift=luck.shift, shift_variance=luck.deviation**2)
    return Need(together, trials=together is None and alone is not None)

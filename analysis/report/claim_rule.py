"""When a difference to the baseline may be claimed."""

from __future__ import annotations

from analysis.snapshot import Snapshot
from analysis.statistics import Comparison, established


def may_be_claimed(data: Snapshot, difference: Comparison) -> bool:
    """Whether a difference may be claimed: it is established, and strengths were not picked on the test set."""
    return established(difference) and not data.picked_on_test

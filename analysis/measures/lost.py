"""Which methods have no result at all, and why: one that failed must not be missing in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from analysis.measures.outcomes import state_counts
from analysis.snapshot import Snapshot, once
from tune_reg.store import FinalRow, TrialRow


@once
def lost_methods(data: Snapshot) -> dict[str, str]:
    """Why a method has no result, by its name: its confirmed runs all diverged or failed, or no trial could win.

    A method that has no trial yet is not lost.
    """
    reasons = ((name, lost(data, name)) for name in data.regularizers)
    return {name: why for name, why in reasons if why is not None}


def lost(data: Snapshot, name: str, fraction: float | None = None, search_fraction: float | None = None) -> str | None:
    """Why a method has no result, on one training set or, without ``fraction``, on any; None where nothing was lost.

    ``search_fraction``: where its strength was searched, if not on that training set.
    """
    runs = [row for row in data.final if row["regularizer"] == name and _is_of(row["fraction"], fraction)]
    searched = fraction if search_fraction is None else search_fraction
    runs = [row for row in runs if _is_of(row["search_fraction"], searched)]
    if any(row["state"] == "complete" for row in runs):
        return None
    if runs:
        return f"none of its confirmed runs ended ({_endings(data, runs)})"
    trials = [row for row in data.trials_of(name) if _is_of(row["fraction"], searched)]
    if not trials or state_counts(trials)["complete"]:
        return None
    return f"no trial of its search ended with a value ({_endings(data, trials)})"


def lost_sentence(data: Snapshot, shown: Collection[str] = ()) -> str:
    """For the end of a caption: every lost method that is not in ``shown``, with its reason; empty without one."""
    if is_of_0_1(data):
        return ""
    absent = [f"{name}: {why}" for name, why in lost_methods(data).items() if name not in shown]
    return f" Without a result is {'; '.join(absent)}." if absent else ""


def is_of_0_1(data: Snapshot) -> bool:
    """Whether the results are of release 0.1, whose reports stay the same bytes and do not give these reasons."""
    return bool(data.provenance) and "citations" not in data.provenance


def _is_of(fraction: float | None, wanted: float | None) -> bool:
    return wanted is None or fraction == wanted


def _endings(data: Snapshot, rows: Sequence[TrialRow] | Sequence[FinalRow]) -> str:
    """How runs ended, and why most of them did: "2 failed because of ValueError: no"."""
    states = state_counts(rows)
    endings = ", ".join(f"{states[state]} {state}" for state in sorted(states))
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    if not reasons or is_of_0_1(data):
        return endings
    reason, times = reasons.most_common(1)[0]
    mostly = "" if len(reasons) == 1 else f"{times} times "
    return f"{endings}: {mostly}{reason.rstrip('.')}"

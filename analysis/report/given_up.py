"""Which runs of a study were given up, and why: those that failed, of which no other stands in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.formatting import count
from analysis.snapshot import Source, snapshot
from tune_reg.store import FinalRow, TrialRow


def given_up(source: Source) -> str | None:
    """One sentence with the runs that failed by method, and the reason of most; None where none did.

    Trials that were tried again count no longer. Runs whose loss became infinite have not failed.
    """
    data = snapshot(source)
    failed: dict[str, list[str]] = {}
    reasons: Counter[str] = Counter()
    ended: dict[str, Sequence[TrialRow | FinalRow]] = {"trial": data.trials, "confirmed run": data.final}
    for kind, rows in ended.items():
        lost = [row for row in rows if row["state"] == "failed"]
        for name, number in sorted(Counter(row["regularizer"] for row in lost).items()):
            failed.setdefault(name, []).append(count(number, kind))
        reasons.update(row["reason"] for row in lost if row["reason"])
    if not failed:
        return None
    each = "; ".join(f"{name}: {' and '.join(parts)}" for name, parts in failed.items())
    most = "no reason is known" if not reasons else reasons.most_common(1)[0][0].rstrip(".")
    mostly = "mostly: " if len(reasons) > 1 else ""
    return f"Given up, as they failed ({mostly}{most}): {each}."

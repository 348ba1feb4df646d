"""Whether a study that ran to its end came to any result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tune_reg.errors import NothingSucceededError
from tune_reg.store import FinalRow, Results, TrialRow
from tune_reg.store.retried import without_retried
from tune_reg.store.rows import from_arrow
from tune_reg.study import StudyPlan


def raise_if_nothing_succeeded(plan: StudyPlan, results: Results) -> None:
    """``NothingSucceededError``, with the reason of most runs, where a study has not one run that ended well.

    With confirmed runs to be made, one of these must have ended; else a trial.
    """
    trials = without_retried(from_arrow("trials", results.trials()))
    final = from_arrow("final", results.final())
    wanted: Sequence[TrialRow | FinalRow] = final if plan.confirmations and final else trials
    if not wanted or any(row["state"] == "complete" for row in wanted):
        return
    what = "confirmed runs" if wanted is final else "trials"
    raise NothingSucceededError(
        f"{results.directory}: no run succeeded: {_endings(wanted)} of {len(wanted)} {what}{_reason(wanted)}; "
        "mend the cause and give the command again, with --retry-failed where no code of your own has changed"
    )


def _endings(rows: Sequence[TrialRow | FinalRow]) -> str:
    states = Counter(str(row["state"]) for row in rows)
    return " and ".join(f"{states[state]} {state}" for state in sorted(states))


def _reason(rows: Sequence[TrialRow | FinalRow]) -> str:
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    return f", mostly because of this: {reasons.most_common(1)[0][0]}" if reasons else ""

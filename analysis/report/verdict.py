"""The verdict on one card: which regularizer, how strong, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from analysis.formatting import count, estimate_text, params_text, size_text
from analysis.measures.claim_rule import equivalent, may_be_claimed
from analysis.measures.comparisons import Compared
from analysis.measures.primary import margin_of
from analysis.measures.results import ResultRow, largest_measured
from analysis.report.sentences import SETTINGS, why_not
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Estimate
from analysis.wording import baseline_text


class Verdict(NamedTuple):
    """A few short sentences, for the largest training set that has a confirmed run."""

    which: str
    how_strong: str
    decided: str  # what the confirmed runs say of each regularizer, with the settings that were found
    believe: str  # whether it may be believed, and why not; the numbers stand in the table of results
    established: bool  # whether a difference to the baseline may be claimed
    rows: tuple[ResultRow, ...]  # of that training set


def verdict(source: Source) -> Verdict | None:
    """The verdict on the regularizer of the highest mean test accuracy; None where no confirmed run ended.

    Where it is not the baseline, the belief is in its difference to the baseline; where it is, in the differences
    of the others to it. Means that agree to the digits shown are tied; the verdict is then on the baseline, where it is
    among them, since no other one is to be preferred to it.
    """
    data = snapshot(source)
    rows = largest_measured(data)
    means = {row.regularizer: estimate_text(row.test_accuracy).partition(" ")[0] for row in rows if row.test_accuracy}
    if not means:
        return None
    highest = max(means.values(), key=float)
    tied = [row for row in rows if means.get(row.regularizer) == highest]
    best = next((row for row in tied if row.is_baseline), tied[0])
    established, believe = _believe(data, best, rows)
    how_strong = " ".join(f"{row.regularizer}: {_how_strong(row)}" for row in tied) if tied[1:] else _how_strong(best)
    return Verdict(_which(tied), how_strong, _decided(data, rows), believe, established, rows)


def _which(tied: Sequence[ResultRow]) -> str:
    names = [f"{row.regularizer} (the baseline)" if row.is_baseline else row.regularizer for row in tied]
    mean = tied[0].test_accuracy
    assert mean is not None, "it has the highest mean"
    if tied[1:]:
        value = estimate_text(mean).partition(" ")[0]
        return f"{', '.join(names[:-1])} and {names[-1]} are tied: {value} % test accuracy, the highest mean."
    return f"{names[0]}: {_percent(mean)} test accuracy, the highest mean, over {count(mean.n, 'run')}."


def _percent(mean: Estimate) -> str:
    value, _, interval = estimate_text(mean).partition(" ")
    return f"{value} %{f' {interval}' if interval else ' (one run: no interval)' if mean.n == 1 else ''}"


def _how_strong(best: ResultRow) -> str:
    setting = "; or ".join(map(params_text, best.params)) or "It has no hyperparameter"
    edges = [f"{name} on the {side} edge of what was searched" for name, side in sorted(best.edges.items())]
    return f"{setting} ({'; '.join(edges)})." if edges else f"{setting}."


def _decided(data: Snapshot, rows: tuple[ResultRow, ...]) -> str:
    """The decision on each regularizer: a decision is about settings, a claim (``_believe``) about the methods too."""
    margin = margin_of(data)
    each = []
    for row in rows:
        if row.comparison is not None:
            decision = row.comparison.decision
            within = f" within {size_text(margin)}" if decision == "equivalent" and margin is not None else ""
            each.append(f"{row.regularizer}: {decision}{within} ({count(row.comparison.difference.n, 'pair')})")
    if not each:
        return "No regularizer was compared with the baseline."
    return f"{SETTINGS[0].upper()}{SETTINGS[1:]}, against {baseline_text(data)}: {'; '.join(each)}."


def _believe(data: Snapshot, best: ResultRow, rows: tuple[ResultRow, ...]) -> tuple[bool, str]:
    if data.picked_on_test:
        return False, "No: the strengths were picked on this very test set."
    if not best.is_baseline:
        return _against_baseline(data, best.comparison)
    others = [row.comparison for row in rows if row.comparison is not None]
    if not others:
        return False, "There is nothing to believe yet: it was compared with no other regularizer."
    worse = [row.regularizer for row in others if may_be_claimed(data, row) and row.difference.mean < 0]
    if worse:
        return True, f"Yes, for this model and data: less accurate than the baseline: {', '.join(worse)}."
    as_good = [row.regularizer for row in others if equivalent(data, row) is not None]
    if as_good:
        return False, f"No regularizer was shown to be better; as accurate within the margin: {', '.join(as_good)}."
    nearest = min(others, key=lambda row: math.inf if row.difference.p is None else row.difference.p)
    return False, (
        "No regularizer was shown to differ from the baseline, better or worse. The nearest to it is "
        f"{nearest.regularizer}: {why_not(data, nearest)}."
    )


def _against_baseline(data: Snapshot, row: Compared | None) -> tuple[bool, str]:
    baseline = baseline_text(data)
    if row is None:
        return False, f"Not yet: it has no run to pair with one of {baseline}."
    if row.difference.p is not None and may_be_claimed(data, row):
        return True, f"Yes, as better than {baseline}, for this model and data."
    margin = equivalent(data, row)
    if margin is not None:
        return (
            False,
            f"Not as a gain: within {size_text(margin)} it is as accurate as {baseline}, and neither is better.",
        )
    if row.decision == "equivalent":
        as_good = f"as accurate as {baseline} between the settings that were found"
        return False, f"Not as a gain: it is {as_good}, and with the luck of the searches not even that is shown."
    better = "" if row.decision == "undecided" else "it is better with the settings that were found, but "
    return False, f"Not yet: {better}{why_not(data, row)}."

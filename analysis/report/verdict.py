"""The verdict on one card: which regularizer, how strong, and whether to believe it."""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.formatting import count, estimate_text, params_text
from analysis.measures.claim_rule import equivalent, may_be_claimed
from analysis.measures.comparisons import Compared
from analysis.measures.primary import margin_of
from analysis.measures.results import ResultRow, largest_measured
from analysis.report.sentences import SETTINGS, difference_text, luck_text, tested_text, why_not
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Estimate
from analysis.wording import baseline_text


class Verdict(NamedTuple):
    """Four sentences, for the largest training set that has a confirmed run."""

    which: str
    how_strong: str
    decided: str  # what the confirmed runs say of each regularizer, with the settings that were found
    believe: str
    established: bool  # whether a difference to the baseline may be claimed
    rows: tuple[ResultRow, ...]  # of that training set
    regularizer: str  # the name of the one that the verdict is on


def verdict(source: Source) -> Verdict | None:
    """The verdict on the regularizer of the highest mean test accuracy; None where no confirmed run ended.

    Where it is not the baseline, the belief is in its difference to the baseline; where it is, in the differences
    of the others to it.
    """
    data = snapshot(source)
    rows = largest_measured(data)
    measured = [(row, row.test_accuracy) for row in rows if row.test_accuracy is not None]
    if not measured:
        return None
    best, mean = max(measured, key=lambda pair: pair[1].mean)
    established, believe = _believe(data, best, rows)
    return Verdict(
        _which(best, mean), _how_strong(best), _decided(data, rows), believe, established, rows, best.regularizer
    )


def _which(best: ResultRow, mean: Estimate) -> str:
    name = f"{best.regularizer} (the baseline)" if best.is_baseline else best.regularizer
    return f"{name}: {_percent(mean)} test accuracy, the highest mean, over {count(mean.n, 'run')}."


def _percent(mean: Estimate) -> str:
    value, _, interval = estimate_text(mean).partition(" ")
    return f"{value} %{f' {interval}' if interval else ' (one run: no interval)' if mean.n == 1 else ''}"


def _how_strong(best: ResultRow) -> str:
    setting = "; or ".join(map(params_text, best.params)) or "It has no hyperparameter"
    edges = [f"{name} lies on the {side} edge of what was searched" for name, side in sorted(best.edges.items())]
    outside = f" But {' and '.join(edges)}: a better value may lie outside." if edges else ""
    return f"{setting}.{outside}"


def _decided(data: Snapshot, rows: tuple[ResultRow, ...]) -> str:
    """The decision on each regularizer: a decision is about settings, a claim (``_believe``) about the methods too."""
    margin = margin_of(data)
    each = []
    for row in rows:
        if row.comparison is not None:
            decision = row.comparison.decision
            within = f" within {_points(margin)}" if decision == "equivalent" and margin is not None else ""
            each.append(f"{row.regularizer}: {decision}{within} ({count(row.comparison.difference.n, 'pair')})")
    if not each:
        return "No regularizer was compared with the baseline."
    return f"{SETTINGS[0].upper()}{SETTINGS[1:]}, against {baseline_text(data)}: {'; '.join(each)}."


def _points(share: float) -> str:
    return f"{100 * share:.4g} point{'' if round(100 * share, 4) == 1 else 's'}"


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
        return True, f"Yes, for this model and data, {SETTINGS}: less accurate than the baseline: {', '.join(worse)}."
    as_good = [row.regularizer for row in others if equivalent(data, row) is not None]
    if as_good:
        return False, f"No regularizer was shown to be better; as accurate within the margin: {', '.join(as_good)}."
    nearest = min(others, key=lambda row: math.inf if row.difference.p is None else row.difference.p)
    return False, (
        "No regularizer was shown to differ from the baseline, better or worse. The nearest to it is "
        f"{nearest.regularizer}, {difference_text(nearest)}: {why_not(data, nearest)}."
    )


def _against_baseline(data: Snapshot, row: Compared | None) -> tuple[bool, str]:
    baseline = baseline_text(data)
    if row is None:
        return False, f"Not yet: it has no run to pair with one of {baseline}."
    numbers = f"{SETTINGS} {difference_text(row)} against {baseline}"
    if row.difference.p is None:
        return False, f"Not yet: {numbers}: {why_not(data, row)}."
    tested = f"{numbers}, {tested_text(row)}"
    if may_be_claimed(data, row):
        return True, f"Yes, against the baseline, for this model and data: {tested}; {luck_text(row)}."
    margin = equivalent(data, row)
    if margin is not None:
        within = f"within {100 * margin:.4g} points it is as accurate as {baseline}, and neither is better"
        return False, f"Not as a gain: {within}: {tested}."
    return False, f"Not yet: {tested}: {why_not(data, row)}."

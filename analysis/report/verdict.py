"""The verdict on one card: which regularizer, how strong, and whether to believe it."""

from __future__ import annotations

from typing import NamedTuple

from analysis.formatting import corrected_p, count, estimate_text, params_text
from analysis.measures.results import ResultRow, largest_measured
from analysis.report.claim_rule import may_be_claimed
from analysis.snapshot import Snapshot, Source, snapshot
from analysis.statistics import Comparison, Estimate


class Verdict(NamedTuple):
    """Three sentences, for the largest training set that has a confirmed run."""

    which: str
    how_strong: str
    believe: str
    established: bool  # whether a difference to the baseline may be claimed
    rows: tuple[ResultRow, ...]  # of that training set


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
    return Verdict(_which(best, mean), _how_strong(best), believe, established, rows)


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


def _believe(data: Snapshot, best: ResultRow, rows: tuple[ResultRow, ...]) -> tuple[bool, str]:
    if data.picked_on_test:
        return False, "No: the strengths were picked on this very test set."
    if not best.is_baseline:
        return _against_baseline(data, best.difference)
    others = [(row, row.difference) for row in rows if row.difference is not None]
    if not others:
        return False, "There is nothing to believe yet: it was compared with no other regularizer."
    worse = [row.regularizer for row, difference in others if may_be_claimed(data, difference) and difference.mean < 0]
    if not worse:
        return False, "No regularizer was shown to differ from the baseline, better or worse."
    return True, f"Yes, for this model and data: shown to be less accurate than the baseline: {', '.join(worse)}."


def _against_baseline(data: Snapshot, difference: Comparison | None) -> tuple[bool, str]:
    baseline = data.baseline or "the baseline"
    if difference is None:
        return False, f"Not yet: it has no run to pair with one of {baseline}."
    numbers = f"{estimate_text(difference, signed=True)} points against {baseline}"
    pairs = f"{count(difference.n, 'pair')} of runs"
    if difference.p_holm is None:
        return False, f"Not yet: {numbers}, from {pairs}, which has no spread to judge by."
    tested = f"{numbers}, {pairs}, corrected p {corrected_p(difference)}"
    if may_be_claimed(data, difference):
        return True, f"Yes, against the baseline, for this model and data: {tested}."
    return False, f"Not yet: {tested}. It may be chance."

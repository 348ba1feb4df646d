"""The answer on one card: which regularizer, how strong, and whether to believe it."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis import text
from analysis.claims import LEVEL
from analysis.results import ResultRow, result_table
from analysis.statistics import Comparison, Estimate
from analysis.tables import Snapshot, Source, snapshot

YES: Final = "yes"
NO: Final = "no"


class Answer(NamedTuple):
    """Three sentences, for the largest training set that has a confirmed run."""

    which: str
    how_strong: str
    believe: str
    verdict: str  # YES where a difference to the baseline may be claimed, else NO
    rows: tuple[ResultRow, ...]  # of that training set


def established(difference: Comparison) -> bool:
    """Whether the corrected test and the interval both say that there is a difference."""
    if difference.p_holm is None or difference.low is None or difference.high is None:
        return False
    return difference.p_holm <= LEVEL and not difference.low <= 0 <= difference.high


def answer(source: Source) -> Answer | None:
    """The regularizer of the highest mean test accuracy; None where no confirmed run ended.

    Where it is not the baseline, the belief is in its difference to the baseline; where it is, in the differences
    of the others to it.
    """
    data = snapshot(source)
    table = result_table(data)
    group = next((text.data_label(row) for row in table if row.test_accuracy), None)
    rows = tuple(row for row in table if text.data_label(row) == group)
    measured = [(row, row.test_accuracy) for row in rows if row.test_accuracy is not None]
    if not measured:
        return None
    best, mean = max(measured, key=lambda pair: pair[1].mean)
    verdict, believe = _believe(data, best, rows)
    return Answer(_which(best, mean), _strong(best), believe, verdict, rows)


def _which(best: ResultRow, mean: Estimate) -> str:
    name = f"{best.regularizer} (the baseline)" if best.is_baseline else best.regularizer
    return f"{name}: {_percent(mean)} test accuracy, the highest mean, over {text.count(mean.n, 'run')}."


def _percent(mean: Estimate) -> str:
    value, _, interval = text.estimate(mean).partition(" ")
    return f"{value} %{f' {interval}' if interval else ' (one run: no interval)' if mean.n == 1 else ''}"


def _strong(best: ResultRow) -> str:
    setting = "; or ".join(map(text.params, best.params)) or "It has no hyperparameter"
    edges = [f"{name} lies on the {side} edge of what was searched" for name, side in sorted(best.edges.items())]
    outside = f" But {' and '.join(edges)}: a better value may lie outside." if edges else ""
    return f"{setting}.{outside}"


def _believe(data: Snapshot, best: ResultRow, rows: tuple[ResultRow, ...]) -> tuple[str, str]:
    if data.picked_on_test:
        return NO, "No: the strengths were picked on this very test set."
    if not best.is_baseline:
        return _against(best.difference, data.baseline or "the baseline")
    others = [(row, row.difference) for row in rows if row.difference is not None]
    if not others:
        return NO, "There is nothing to believe yet: it was compared with no other regularizer."
    worse = [row.regularizer for row, difference in others if established(difference) and difference.mean < 0]
    if not worse:
        return NO, "No regularizer was shown to differ from the baseline, better or worse."
    return YES, f"Yes, for this model and data: shown to be less accurate than the baseline: {', '.join(worse)}."


def _against(difference: Comparison | None, baseline: str) -> tuple[str, str]:
    if difference is None:
        return NO, f"Not yet: it has no run to pair with one of {baseline}."
    numbers = f"{text.estimate(difference, signed=True)} points against {baseline}"
    pairs = f"{text.count(difference.n, 'pair')} of runs"
    if difference.p_holm is None:
        return NO, f"Not yet: {numbers}, from {pairs}, which has no spread to judge by."
    tested = f"{numbers}, {pairs}, corrected p {text.p_value(difference)}"
    if established(difference):
        return YES, f"Yes, against the baseline, for this model and data: {tested}."
    return NO, f"Not yet: {tested}. It may be chance."

"""The verdict on one card: which regularizer, how strong, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from analysis.formatting import count, picks_text
from analysis.measures.claim_rule import equivalent, may_be_claimed
from analysis.measures.comparisons import Compared, is_better
from analysis.measures.primary import margin_of
from analysis.measures.results import ResultRow, largest_measured
from analysis.metric_text import MetricText, metric_text
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
    regularizer: str  # the name of the one that the verdict is on


def verdict(source: Source) -> Verdict | None:
    """The verdict on the regularizer of the best mean in the test metric; None where no confirmed run ended.

    Where it is not the baseline, the belief is in its difference to the baseline; where it is, in the differences
    of the others to it. Means that agree to the digits shown are tied; the verdict is then on the baseline, where it is
    among them, since no other one is to be preferred to it.
    """
    data = snapshot(source)
    rows = largest_measured(data)
    text = metric_text(data)
    means = {row.regularizer: text.number(row.test_accuracy.mean) for row in rows if row.test_accuracy}
    if not means:
        return None
    best_mean = (min if text.minimized else max)(means.values(), key=float)
    tied = [row for row in rows if means.get(row.regularizer) == best_mean]
    best = next((row for row in tied if row.is_baseline), tied[0])
    established, believe = _believe(data, best, rows)
    how_strong = " ".join(f"{row.regularizer}: {_how_strong(row)}" for row in tied) if tied[1:] else _how_strong(best)
    decided = _decided(data, rows)
    return Verdict(_which(text, tied), how_strong, decided, believe, established, rows, best.regularizer)


def _which(text: MetricText, tied: Sequence[ResultRow]) -> str:
    names = [f"{row.regularizer} (the baseline)" if row.is_baseline else row.regularizer for row in tied]
    mean = tied[0].test_accuracy
    assert mean is not None, "it has the best mean"
    value = text.with_unit(text.number(mean.mean))
    of = f"test {text.words}, the {text.best} mean"
    if tied[1:]:
        return f"{', '.join(names[:-1])} and {names[-1]} are tied: {value} {of}."
    return f"{names[0]}: {value}{_interval(text, mean)} {of}, over {count(mean.n, 'run')}."


def _interval(text: MetricText, mean: Estimate) -> str:
    interval = text.estimate(mean).partition(" ")[2]
    return f" {interval}" if interval else " (one run: no interval)" if mean.n == 1 else ""


def _how_strong(best: ResultRow) -> str:
    setting = picks_text(best.params, best.timescales) or "It has no hyperparameter"
    edges = [f"{name} on the {side} edge of what was searched" for name, side in sorted(best.edges.items())]
    return f"{setting} ({'; '.join(edges)})." if edges else f"{setting}."


def _decided(data: Snapshot, rows: tuple[ResultRow, ...]) -> str:
    """The decision on each regularizer: a decision is about settings, a claim (``_believe``) about the methods too."""
    margin, text = margin_of(data), metric_text(data)
    each = []
    for row in rows:
        if row.comparison is not None:
            decision = row.comparison.decision
            within = f" within {text.size(margin)}" if decision == "equivalent" and margin is not None else ""
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
    worse = [row.regularizer for row in others if may_be_claimed(data, row) and not is_better(data, row)]
    text = metric_text(data)
    if worse:
        return True, f"Yes, for this model and data: {text.than(better=False)} than the baseline: {', '.join(worse)}."
    as_good = [row.regularizer for row in others if equivalent(data, row) is not None]
    if as_good:
        names = ", ".join(as_good)
        return (
            False,
            f"No regularizer was shown to be better; {text.is_as_good} within the margin: {names}.",
        )
    nearest = min(others, key=lambda row: math.inf if row.difference.p is None else row.difference.p)
    return False, (
        "No regularizer was shown to differ from the baseline, better or worse. The nearest to it is "
        f"{nearest.regularizer}: {why_not(data, nearest)}."
    )


def _against_baseline(data: Snapshot, row: Compared | None) -> tuple[bool, str]:
    baseline, text = baseline_text(data), metric_text(data)
    if row is None:
        return False, f"Not yet: it has no run to pair with one of {baseline}."
    if row.difference.p is not None and may_be_claimed(data, row):
        return True, f"Yes, as better than {baseline}, for this model and data."
    margin = equivalent(data, row)
    if margin is not None:
        within = f"within {text.size(margin)} it is {text.as_good} {baseline}"
        return False, f"Not as a gain: {within}, and neither is better."
    if row.decision == "equivalent":
        as_good = f"{text.as_good} {baseline} between the settings that were found"
        return False, f"Not as a gain: it is {as_good}, and with the luck of the searches not even that is shown."
    better = "" if row.decision == "undecided" else "it is better with the settings that were found, but "
    return False, f"Not yet: {better}{why_not(data, row)}."

"""Several studies side by side: accuracies, differences within each study, and ranks over all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from analysis.formatting import p_value
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.results import ResultRow, largest_measured
from analysis.measures.with_searches import WithSearches
from analysis.metric_text import ACCURACY_TEXT, MetricText
from analysis.snapshot import Snapshot
from analysis.statistics import LEVEL, Comparison, Estimate
from analysis.statistics.intervals import RESAMPLES
from analysis.statistics.ranks import Ranks, average_ranks
from analysis.wording import data_label, notes

_NO_OTHERS: Final[Mapping[str, MetricText]] = {}

#: Studies from which Demsar's approximations are good.
_MANY: Final = 10


class AcrossRow(NamedTuple):
    """One regularizer in one study, on the study's largest training set that has a confirmed run."""

    study: str
    data: str  # which training data
    regularizer: str
    baseline: str
    runs: int  # that ended
    test_accuracy: Estimate | None
    difference: Comparison | None  # to the study's own baseline, as in its own report
    with_searches: WithSearches | None  # the difference with the luck of both searches
    claimed: bool  # whether the difference may be claimed, as in the study's own report
    params: tuple[dict[str, Any], ...]
    timescales: tuple[float | None, ...]  # of the weight decay of each of ``params``, in epochs
    notes: str


def across(studies: Mapping[str, Snapshot]) -> tuple[AcrossRow, ...]:
    """The rows of all studies, study by study, each with the verdict of its own report: one comparison, one verdict."""
    return tuple(_row(label, data, row) for label, data in studies.items() for row in largest_measured(data))


def ranks_of(rows: Sequence[AcrossRow], texts: Mapping[str, MetricText] = _NO_OTHERS) -> Ranks | None:
    """Average ranks of the regularizers over the studies of ``rows``; None with fewer than two to rank.

    ``texts``: by study, how its metric is written; the accuracy where a study is not among them.
    """
    means: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.test_accuracy is not None:
            sign = -1 if texts.get(row.study, ACCURACY_TEXT).minimized else 1
            means.setdefault(row.study, {})[row.regularizer] = sign * row.test_accuracy.mean
    return average_ranks(means, list(dict.fromkeys(row.regularizer for row in rows)))


def rank_sentences(
    rows: Sequence[AcrossRow], studies: int, texts: Mapping[str, MetricText] = _NO_OTHERS
) -> tuple[str, ...]:
    """Sentences on the average ranks: what may be said of them, and what may not. ``texts``: see ``ranks_of``."""
    ranks = ranks_of(rows, texts)
    if ranks is None:
        return ("No average rank: fewer than two studies have a confirmed mean of the same two regularizers.",)
    n = len(ranks.studies)
    over = f"{n} studies"
    order = ", ".join(f"{row.regularizer} {row.average_rank:.2f}" for row in ranks.rows)
    sentences = [f"Average ranks over {over}, 1 being the {_first(texts)}: {order}.", _tested(ranks, over)]
    if ranks.critical_difference is not None:
        sentences.append(_separated(ranks, ranks.critical_difference))
    if n < studies:
        sentences.append(f"{studies - n} of {studies} studies have fewer than two confirmed means and are not ranked.")
    if ranks.left_out:
        sentences.append(f"Not ranked, because not every ranked study has them: {', '.join(ranks.left_out)}.")
    return tuple(sentences)


def _first(texts: Mapping[str, MetricText]) -> str:
    return "most accurate" if all(text.is_accuracy for text in texts.values()) else "best in the metric of each study"


def _tested(ranks: Ranks, over: str) -> str:
    k = len(ranks.rows)
    if ranks.p is None:
        needed = next(n for n in range(2, 100) if float(math.factorial(k)) ** (1 - n) <= LEVEL)
        return (
            f"No test of the ranks: with {over} of {k} regularizers, Friedman's test cannot give a p below "
            f"{ranks.least_p:.2g}; {needed} studies would allow it. These ranks are a description, not evidence."
        )
    how = "all permutations" if ranks.exact else f"{RESAMPLES:,} random permutations"
    conclusion = "the regularizers differ in rank" if ranks.p <= LEVEL else "no difference in rank is shown"
    return f"Friedman's test over {over} ({how}): p {p_value(ranks.p)}; {conclusion}."


def _separated(ranks: Ranks, distance: float) -> str:
    apart = [
        f"{one.regularizer} before {other.regularizer}"
        for index, one in enumerate(ranks.rows)
        for other in ranks.rows[index + 1 :]
        if other.average_rank - one.average_rank >= distance
    ]
    few = "" if len(ranks.studies) >= _MANY else " The critical difference is an approximation with few studies."
    pairs = "; ".join(apart) if apart else "no pair is that far apart"
    return f"Nemenyi's critical difference of average ranks is {distance:.2f} at 5 %: {pairs}.{few}"


def _row(label: str, data: Snapshot, row: ResultRow) -> AcrossRow:
    return AcrossRow(
        study=label,
        data=data_label(row),
        regularizer=row.regularizer,
        baseline=data.baseline or "",
        runs=row.runs,
        test_accuracy=row.test_accuracy,
        difference=row.difference,
        with_searches=None if row.comparison is None else row.comparison.with_searches,
        claimed=row.comparison is not None and may_be_claimed(data, row.comparison),
        params=row.params,
        timescales=row.timescales,
        notes="; ".join(notes(row)),
    )

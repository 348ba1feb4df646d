"""Several studies side by side: accuracies, differences within each study, and ranks over all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from analysis import text
from analysis.answer import answer
from analysis.claims import LEVEL
from analysis.results import ResultRow
from analysis.statistics import RESAMPLES, Comparison, Estimate, holm
from analysis.tables import Snapshot


class AcrossRow(NamedTuple):
    """One regularizer in one study, on the study's largest training set that has a confirmed run."""

    study: str
    data: str  # which training data
    regularizer: str
    baseline: str
    runs: int  # that ended
    test_accuracy: Estimate | None
    difference: Comparison | None  # to the study's own baseline; p corrected over all studies
    params: tuple[dict[str, Any], ...]
    notes: str


class RankRow(NamedTuple):
    """The ranks of one regularizer: 1 is the highest mean test accuracy of a study, ties share their mean rank."""

    regularizer: str
    studies: int
    average_rank: float
    ranks: tuple[float, ...]  # study by study


class Ranks(NamedTuple):
    """Average ranks of the regularizers that every ranked study has, and what may be said of them."""

    studies: tuple[str, ...]  # ranked
    rows: tuple[RankRow, ...]  # the best first
    left_out: tuple[str, ...]  # regularizers that not every ranked study has
    p: float | None  # Friedman's test, by permutation; None where n is too small for it ever to reject
    exact: bool  # all permutations were taken, not a sample of them
    least_p: float  # that this many studies and regularizers can give
    critical_difference: float | None  # Nemenyi's at 5 %; None where the test does not reject, or for two regularizers


def across(studies: Mapping[str, Snapshot]) -> tuple[AcrossRow, ...]:
    """The rows of all studies, study by study; p-values are Holm-corrected over all of them together."""
    rows = [
        _row(label, data, row)
        for label, data in studies.items()
        for found in [answer(data)]
        if found is not None
        for row in found.rows
    ]
    corrected = holm([row.difference.p if row.difference else None for row in rows])
    return tuple(
        row._replace(difference=row.difference._replace(p_holm=p)) if row.difference else row
        for row, p in zip(rows, corrected, strict=True)
    )


def average_ranks(rows: Sequence[AcrossRow]) -> Ranks | None:
    """Ranks of mean test accuracies within studies, averaged over studies; None with fewer than two to rank.

    A study enters where it has a mean of at least two regularizers; a regularizer, where every such study has one
    of it. The test is Friedman's: its statistic sum_j (R_j - (k + 1) / 2)^2 over the average ranks R_j of k
    regularizers, against all (k!)^n ways to permute the ranks within n studies (9,999 random ones where there are
    more), so that it keeps its level with few studies. The critical difference is Nemenyi's,
    q sqrt(k (k + 1) / (6 n)), q the 95 % point of the studentized range over sqrt(2) (Demsar 2006).
    """
    means: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.test_accuracy is not None:
            means.setdefault(row.study, {})[row.regularizer] = row.test_accuracy.mean
    means = {study: values for study, values in means.items() if len(values) > 1}
    named = list(dict.fromkeys(row.regularizer for row in rows))
    ranked = [name for name in named if means and all(name in values for values in means.values())]
    if len(means) < 2 or len(ranked) < 2:
        return None
    return _ranks([[values[name] for name in ranked] for values in means.values()], ranked, tuple(means), named)


def _ranks(means: list[list[float]], ranked: list[str], studies: tuple[str, ...], named: list[str]) -> Ranks:
    import numpy as np
    from scipy import stats

    # Means that differ by float noise alone are tied.
    table = stats.rankdata(-np.round(np.asarray(means), 10), axis=1)
    n, k = table.shape
    found = [
        RankRow(name, n, float(table[:, place].mean()), tuple(table[:, place].tolist()))
        for place, name in enumerate(ranked)
    ]
    exact = math.factorial(k) ** n <= RESAMPLES
    least = float(math.factorial(k)) ** (1 - n) if exact else 1 / (RESAMPLES + 1)
    p = friedman_p(table) if least <= LEVEL else None
    rejects = p is not None and p <= LEVEL and k > 2
    return Ranks(
        studies=studies,
        rows=tuple(sorted(found, key=lambda row: row.average_rank)),
        left_out=tuple(name for name in named if name not in ranked),
        p=p,
        exact=exact,
        least_p=least,
        critical_difference=critical_difference(n, k) if rejects else None,
    )


def friedman_p(ranks: Any) -> float:
    """Permutation p of Friedman's test for ``ranks`` [studies, regularizers].

    >>> import numpy as np
    >>> round(friedman_p(np.array([[1.0, 2.0, 3.0]] * 3)), 4)
    0.0278
    """
    import numpy as np
    from scipy import stats

    middle = (ranks.shape[1] + 1) / 2

    def spread(*columns: Any, axis: int = -1) -> Any:
        return np.round(sum((np.mean(column, axis=axis) - middle) ** 2 for column in columns), 10)

    result = stats.permutation_test(
        tuple(ranks.T),
        spread,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative="greater",
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def critical_difference(studies: int, regularizers: int) -> float:
    """Nemenyi's critical difference of two average ranks at 5 %.

    >>> round(critical_difference(30, 4), 3)
    0.856
    """
    from scipy import stats

    q = float(stats.studentized_range.ppf(1 - LEVEL, regularizers, math.inf)) / math.sqrt(2)
    return q * math.sqrt(regularizers * (regularizers + 1) / (6 * studies))


def rank_sentences(rows: Sequence[AcrossRow], studies: int) -> tuple[str, ...]:
    """What may be said of the ranks, and what may not."""
    ranks = average_ranks(rows)
    if ranks is None:
        return ("No average rank: fewer than two studies have a confirmed mean of the same two regularizers.",)
    n = len(ranks.studies)
    over = f"{n} studies"
    order = ", ".join(f"{row.regularizer} {row.average_rank:.2f}" for row in ranks.rows)
    found = [f"Average ranks over {over}, 1 being the most accurate: {order}.", _tested(ranks, over)]
    if ranks.critical_difference is not None:
        found.append(_separated(ranks, ranks.critical_difference))
    if n < studies:
        found.append(f"{studies - n} of {studies} studies have fewer than two confirmed means and are not ranked.")
    if ranks.left_out:
        found.append(f"Not ranked, because not every ranked study has them: {', '.join(ranks.left_out)}.")
    return tuple(found)


def _tested(ranks: Ranks, over: str) -> str:
    k = len(ranks.rows)
    if ranks.p is None:
        needed = next(n for n in range(2, 100) if float(math.factorial(k)) ** (1 - n) <= LEVEL)
        return (
            f"No test of the ranks: with {over} of {k} regularizers, Friedman's test cannot give a p below "
            f"{ranks.least_p:.2g}; {needed} studies would allow it. These ranks are a description, not evidence."
        )
    p = "<0.001" if ranks.p < 0.001 else f"{ranks.p:.3f}"
    how = "all permutations" if ranks.exact else f"{RESAMPLES:,} random permutations"
    said = "the regularizers differ in rank" if ranks.p <= LEVEL else "no difference in rank is shown"
    return f"Friedman's test over {over} ({how}): p {p}; {said}."


def _separated(ranks: Ranks, distance: float) -> str:
    apart = [
        f"{one.regularizer} before {other.regularizer}"
        for place, one in enumerate(ranks.rows)
        for other in ranks.rows[place + 1 :]
        if other.average_rank - one.average_rank >= distance
    ]
    few = "" if len(ranks.studies) >= _MANY else " The critical difference is an approximation with few studies."
    found = "; ".join(apart) if apart else "no pair is that far apart"
    return f"Nemenyi's critical difference of average ranks is {distance:.2f} at 5 %: {found}.{few}"


_MANY: Final = 10  # studies, from which Demsar's approximations are good


def _row(label: str, data: Snapshot, row: ResultRow) -> AcrossRow:
    return AcrossRow(
        study=label,
        data=text.data_label(row),
        regularizer=row.regularizer,
        baseline=data.baseline or "",
        runs=row.runs,
        test_accuracy=row.test_accuracy,
        difference=row.difference,
        params=row.params,
        notes="; ".join(text.notes(row)),
    )

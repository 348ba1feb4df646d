"""Average ranks over several studies, Friedman's test of them, and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from analysis.statistics.intervals import RESAMPLES
from analysis.statistics.paired_tests import LEVEL, permutation_p
from analysis.statistics.publications import Publication

#: What a paper that shows these ranks has to cite.
PUBLICATIONS: Final = (
    Publication("Friedman's test", "friedman1937use"),
    Publication("Average ranks and the critical difference", "demsar2006statistical"),
)


class RankRow(NamedTuple):
    """The ranks of one regularizer over the studies; 1 is the highest mean, ties share their mean rank."""

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


def average_ranks(means: Mapping[str, Mapping[str, float]], regularizers: Sequence[str]) -> Ranks | None:
    """Ranks of mean test accuracies within studies, averaged over studies; None with fewer than two to rank.

    ``means``: of each study, by regularizer. ``regularizers``: all of them, in the order of every table.
    A study enters where it has a mean of at least two regularizers; a regularizer, where every such study has one
    of it. The test is Friedman's: its statistic sum_j (R_j - (k + 1) / 2)^2 over the average ranks R_j of k
    regularizers, against all (k!)^n ways to permute the ranks within n studies (9,999 random ones where there are
    more), so that it keeps its level with few studies. The critical difference is Nemenyi's,
    q sqrt(k (k + 1) / (6 n)), q the 95 % point of the studentized range over sqrt(2) (Demsar 2006).
    """
    measured = {study: values for study, values in means.items() if len(values) > 1}
    ranked = [name for name in regularizers if measured and all(name in values for values in measured.values())]
    if len(measured) < 2 or len(ranked) < 2:
        return None
    import numpy as np
    from scipy import stats

    table = [[values[name] for name in ranked] for values in measured.values()]
    # Means that differ by float noise alone are tied.
    ranks = stats.rankdata(-np.round(np.asarray(table), 10), axis=1)
    n, k = ranks.shape
    rows = [
        RankRow(name, n, float(ranks[:, index].mean()), tuple(ranks[:, index].tolist()))
        for index, name in enumerate(ranked)
    ]
    exact = math.factorial(k) ** n <= RESAMPLES
    least = float(math.factorial(k)) ** (1 - n) if exact else 1 / (RESAMPLES + 1)
    p = friedman_p(ranks) if least <= LEVEL else None
    rejects = p is not None and p <= LEVEL and k > 2
    return Ranks(
        studies=tuple(measured),
        rows=tuple(sorted(rows, key=lambda row: row.average_rank)),
        left_out=tuple(name for name in regularizers if name not in ranked),
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

    middle = (ranks.shape[1] + 1) / 2

    def spread(*columns: Any, axis: int = -1) -> Any:
        return np.round(sum((np.mean(column, axis=axis) - middle) ** 2 for column in columns), 10)

    return permutation_p(tuple(ranks.T), spread, "greater")


def critical_difference(studies: int, regularizers: int) -> float:
    """Nemenyi's critical difference of two average ranks at 5 %.

    >>> round(critical_difference(30, 4), 3)
    0.856
    """
    from scipy import stats

    q = float(stats.studentized_range.ppf(1 - LEVEL, regularizers, math.inf)) / math.sqrt(2)
    return q * math.sqrt(regularizers * (regularizers + 1) / (6 * studies))

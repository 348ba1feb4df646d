"""What is left of a difference once the luck of both searches is counted.

Two settings that searches picked are compared, not two methods: one search may have come nearer to the best of its
method than the other. What a pick is expected to lack of its method's best, its regret, is known from the search's
model with a standard deviation, both at no training cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from analysis.measures.accuracy import Setting
from analysis.measures.primary import is_of_metric
from analysis.measures.search.picks import regret_of
from analysis.snapshot import Snapshot
from analysis.statistics import LEVEL
from tune_reg.decisions import difference_floor, mean_test


class WithSearches(NamedTuple):
    """A difference between two methods at their best, in place of two settings, in the unit of the metric."""

    mean: float  # of the paired differences, plus ``shift``
    low: float | None  # of the interval that leaves out the level of the comparison
    high: float | None
    p: float | None
    shift: float  # what the method's pick lacks of its best, less what the baseline's lacks
    deviation: float  # standard deviation of the shift
    p_holm: float | None = None  # corrected over the family; None in rounds


def with_searches(
    data: Snapshot,
    measure: str,
    setting: Setting,
    regularizer: str,
    differences: Sequence[float],
    images: int | None,
    level: float = LEVEL,
) -> WithSearches | None:
    """``differences`` of the pairs with the regrets of both picks; None where these are not known.

    The estimate is mean difference + regret of the method - regret of the baseline (of a metric that is minimized, with
    the signs of the regrets turned), and the variances of the two
    regrets add to that of the mean (Welch and Satterthwaite, with the regrets' as known). The regret is one of
    the metric on validation images, which is taken for that on test images as it is; of other measures none is known.
    """
    if not is_of_metric(measure) or data.baseline is None:
        return None
    of_method = regret_of(data, regularizer, setting.search_fraction)
    of_baseline = regret_of(data, data.baseline, setting.search_fraction)
    if of_method is None or of_baseline is None:
        return None
    shift, variance = data.metric.value(of_method[0] - of_baseline[0]), of_method[1] ** 2 + of_baseline[1] ** 2
    floor = difference_floor(images)
    test = mean_test(sorted(differences), floor=floor, level=level, shift=shift, shift_variance=variance)
    return WithSearches(test.mean, test.low, test.high, test.p, shift, math.sqrt(variance))

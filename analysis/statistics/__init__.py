"""Statistics of runs: intervals, paired tests, corrections, effect sizes, curves and ranks.

Nothing here knows the store: functions take numbers and return numbers.
"""

from analysis.statistics.corrections import holm
from analysis.statistics.effects import Effect, effect
from analysis.statistics.intervals import Estimate, mean_interval, percentile_interval, share_interval, wilson
from analysis.statistics.outliers import Irregular, irregular
from analysis.statistics.paired_tests import LEVEL, Comparison, paired, paired_difference
from analysis.statistics.power import pairs_needed

__all__ = [
    "LEVEL",
    "Comparison",
    "Effect",
    "Estimate",
    "Irregular",
    "effect",
    "holm",
    "irregular",
    "mean_interval",
    "paired",
    "paired_difference",
    "pairs_needed",
    "percentile_interval",
    "share_interval",
    "wilson",
]

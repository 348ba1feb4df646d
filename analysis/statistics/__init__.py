"""Statistics of runs: intervals, paired tests, corrections, effect sizes, curves and ranks.

Nothing here knows the store: functions take numbers and return numbers.
"""

from analysis.statistics.corrections import holm, pairs_needed
from analysis.statistics.effects import Effect, effect
from analysis.statistics.intervals import Estimate, mean_interval, percentile_interval, share_interval, wilson
from analysis.statistics.paired_tests import LEVEL, Comparison, established, paired_difference, smallest_p

__all__ = [
    "LEVEL",
    "Comparison",
    "Effect",
    "Estimate",
    "effect",
    "established",
    "holm",
    "mean_interval",
    "paired_difference",
    "pairs_needed",
    "percentile_interval",
    "share_interval",
    "smallest_p",
    "wilson",
]

"""When is a method better than the baseline? The rule that the confirmation and the report share.

Pure functions of numbers: nothing here knows a study, a search or a table.
"""

from tune_reg.decisions.student import MeanTest, difference_floor, mean_floor, mean_test

__all__ = ["MeanTest", "difference_floor", "mean_floor", "mean_test"]

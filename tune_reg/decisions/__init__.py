"""When is a method better than the baseline? The rule that the confirmation and the report share.

Pure functions of numbers: nothing here knows a study, a search or a table.
"""

from tune_reg.decisions.looks import LOOKS, nominal_levels
from tune_reg.decisions.power import POWER, equivalence_power, power, smallest_difference, smallest_margin
from tune_reg.decisions.rule import Look, MethodDecision, decisions, looks_at, seeds_wanted
from tune_reg.decisions.student import LEVEL, MeanTest, difference_floor, mean_floor, mean_test

__all__ = [
    "LEVEL",
    "LOOKS",
    "POWER",
    "Look",
    "MeanTest",
    "MethodDecision",
    "decisions",
    "difference_floor",
    "equivalence_power",
    "looks_at",
    "mean_floor",
    "mean_test",
    "nominal_levels",
    "power",
    "seeds_wanted",
    "smallest_difference",
    "smallest_margin",
]

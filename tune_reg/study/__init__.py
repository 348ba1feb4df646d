"""The declared study: what is compared, on which data, at which budget; and the plan that follows from it."""

from tune_reg.study.attack_cost import attack_cost
from tune_reg.study.best_of_space import best_of_space_notes
from tune_reg.study.decidable import GUESS, Spread, decidable, spread_of
from tune_reg.study.method import Method
from tune_reg.study.other_searches import has_model, how_far_trials_train, other_searches
from tune_reg.study.plan import Confirmation, MethodCost, StudyPlan, Task, budget_share, make_plan
from tune_reg.study.settings import (
    TEST_ACCURACY,
    ConfirmSettings,
    MetricSettings,
    ResourceSettings,
    SearchSettings,
    SecondObjective,
)
from tune_reg.study.shared_values import shared_values_notes
from tune_reg.study.study import Study
from tune_reg.study.unused_settings import unused_settings
from tune_reg.study.validation_cost import validation_notes

__all__ = [
    "GUESS",
    "TEST_ACCURACY",
    "ConfirmSettings",
    "Confirmation",
    "Method",
    "MethodCost",
    "MetricSettings",
    "ResourceSettings",
    "SearchSettings",
    "SecondObjective",
    "Spread",
    "Study",
    "StudyPlan",
    "Task",
    "attack_cost",
    "best_of_space_notes",
    "budget_share",
    "decidable",
    "has_model",
    "how_far_trials_train",
    "make_plan",
    "other_searches",
    "shared_values_notes",
    "spread_of",
    "unused_settings",
    "validation_notes",
]

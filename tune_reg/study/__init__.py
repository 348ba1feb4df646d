"""The declared study: what is compared, on which data, at which budget; and the plan that follows from it."""

from tune_reg.study.method import Method
from tune_reg.study.other_searches import is_paused, other_searches
from tune_reg.study.plan import Confirmation, MethodCost, StudyPlan, Task, make_plan
from tune_reg.study.settings import ConfirmSettings, ResourceSettings, SearchSettings, SecondObjective
from tune_reg.study.shared_values import shared_values_notes
from tune_reg.study.study import Study
from tune_reg.study.unused_settings import unused_settings

__all__ = [
    "ConfirmSettings",
    "Confirmation",
    "Method",
    "MethodCost",
    "ResourceSettings",
    "SearchSettings",
    "SecondObjective",
    "Study",
    "StudyPlan",
    "Task",
    "is_paused",
    "make_plan",
    "other_searches",
    "shared_values_notes",
    "unused_settings",
]

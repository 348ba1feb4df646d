"""The trial at the best point of the whole space by the model, with which a search ends where a study wants it."""

from __future__ import annotations

from tune_reg.study.other_searches import has_model
from tune_reg.study.plan import StudyPlan


def best_of_space_notes(plan: StudyPlan) -> list[str]:
    """In a line, what ``search.pick = "space"`` adds to the searches of a plan; none without it.

    >>> from tune_reg.study import Study, make_plan
    >>> study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], search={"pick": "space"})
    >>> best_of_space_notes(make_plan(study))
    ['each search ends with a trial at the best point of its space: 1 trial more a search, of 10 epochs']
    """
    settings = plan.study.search
    if settings.pick != "space" or not any(has_model(settings, task) for task in plan.tasks):
        return []
    return [
        "each search ends with a trial at the best point of its space: 1 trial more a search, of "
        f"{plan.study.training.epochs} epochs"
    ]

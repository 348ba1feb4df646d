"""A study in which nothing succeeded says so."""

import pytest

from tune_reg.errors import NothingSucceededError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.outcome import raise_if_nothing_succeeded
from tune_reg.store import Results
from tune_reg.study import Study, make_plan


def test_a_study_of_failed_trials_is_refused_with_their_reason(tmp_path):
    study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], search={"trials": 5})
    plan = make_plan(study)
    controller = StudyController(plan, tmp_path)
    while (run := controller.next_run()) is not None:
        controller.give_up(run.key, "ValueError: no (nets.py:7)")
    assert controller.finished
    # The first three to end failed alike: no other is asked for, though the budget is not used.
    with pytest.raises(NothingSucceededError, match=r"3 failed of 3 trials.*ValueError: no \(nets.py:7\)"):
        raise_if_nothing_succeeded(plan, Results(tmp_path))


def test_a_study_without_a_run_yet_is_not_refused(tmp_path):
    plan = make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"]))
    raise_if_nothing_succeeded(plan, Results(tmp_path))

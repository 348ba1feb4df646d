"""Robustness tests of confirmed runs that a study asks for later."""

from pathlib import Path

import pytest
from digits import digits_study
from made_up import epochs, finish_all

from tune_reg.execution import recorder
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import make_plan

TESTS = {"fgsm": [0.1]}


def control(directory, *, robustness_only=False, **settings):
    study = digits_study(confirm={"seeds": 4}, **settings)
    return StudyController(make_plan(study), directory, robustness_only=robustness_only)


@pytest.fixture
def confirmed(tmp_path):
    """A study whose runs had no robustness tests."""
    finish_all(control(tmp_path))
    return tmp_path


def test_confirmed_runs_are_tested_when_the_tests_change(confirmed):
    assert control(confirmed, robustness_only=True).finished
    controller = control(confirmed, robustness_only=True, robustness=TESTS)
    runs = []
    while not controller.finished:
        runs.append(controller.next_run())
        checkpoints = Path(controller.order(runs[-1]).checkpoints)
        assert checkpoints.name == runs[-1].stored_key == runs[-1].key.removesuffix("-robustness")
        outcome = Completed(robustness=({"test": "fgsm", "accuracy": 0.5, "n": 3},))
        assert controller.take(runs[-1].key, epochs(1, 2, outcome=outcome)) is Decision.STOP
    assert {run.stage for run in runs} == {"robustness"}
    assert len(runs) == 4
    results = Results(confirmed)
    assert results.robustness().num_rows == 4
    assert results.final().num_rows == 4
    assert control(confirmed, robustness=TESTS).finished


def test_autoattack_is_made_again_where_it_was_made_before_it_had_fab(confirmed, monkeypatch):
    both = {"fgsm": [0.1], "autoattack_l2": [0.5]}

    def runs(tests):
        controller, made = control(confirmed, robustness_only=True, robustness=tests), 0
        while not controller.finished:
            outcome = Completed(robustness=({"test": "autoattack-l2", "accuracy": 0.5, "n": 3},))
            controller.take(controller.next_run().key, epochs(1, 2, outcome=outcome))
            made += 1
        return made

    with monkeypatch.context() as before:
        before.setattr(recorder, "_tests_of", lambda study: study.to_plain()["robustness"])
        assert [runs(both), runs(both)] == [4, 0]
    assert [runs(both), runs(both)] == [4, 0]
    with monkeypatch.context() as before:
        before.setattr(recorder, "_tests_of", lambda study: study.to_plain()["robustness"])
        assert runs(TESTS) == 4
    assert runs(TESTS) == 0, "tests without AutoAttack stay what they were"


def test_a_run_whose_tests_cannot_be_made_stays_as_it_is(confirmed):
    controller = control(confirmed, robustness_only=True, robustness=TESTS)
    before = Results(confirmed).final()
    while not controller.finished:
        controller.give_up(controller.next_run().key, "its process ended without a word")
    results = Results(confirmed)
    assert results.final().equals(before)
    assert results.robustness().num_rows == 0
    # Another command tries them again.
    assert control(confirmed, robustness=TESTS).next_run().stage == "robustness"

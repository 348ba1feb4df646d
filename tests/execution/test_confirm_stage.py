"""Which runs are confirmed, and when."""

import math

from digits import digits_study
from made_up import epochs, finish, finish_all

from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Diverged
from tune_reg.store import Results
from tune_reg.study import make_plan


def control(directory, **settings):
    return StudyController(make_plan(digits_study(**settings)), directory)


def test_where_each_fraction_is_searched_both_strengths_are_confirmed(tmp_path):
    controller = control(tmp_path, fractions=[0.5, 1.0], search={"trials": 1, "fractions": [0.5, 1.0]})
    confirm = [run for run in finish_all(controller) if run.stage == "confirm"]
    assert {(r.trial.task.fraction, r.run.fraction) for r in confirm} == {(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)}


def test_confirmation_waits_for_every_trial_of_its_task(tmp_path):
    controller = control(tmp_path)
    first, second, third = (controller.next_run() for _ in range(3))
    finish(controller, first)
    finish(controller, second)
    assert controller.next_run() is None
    assert not controller.finished
    finish(controller, third)
    assert controller.next_run().stage == "confirm"


def test_a_task_that_only_diverged_is_left_out_and_the_study_ends(tmp_path):
    controller = control(tmp_path, regularizers=["weight-decay", "adadecay"], search={"trials": 1})
    while not controller.finished:
        run = controller.next_run()
        if run.run.regularizer == "adadecay":
            controller.take(run.key, epochs(1, accuracy=math.nan, outcome=Diverged()))
        else:
            finish(controller, run)
    assert set(Results(tmp_path).final()["regularizer"].to_pylist()) == {"weight-decay"}


def test_a_confirmed_run_that_diverges_or_is_given_up_is_stored_without_tests(tmp_path):
    controller = control(tmp_path, confirm={"seeds": 2}, search={"trials": 1})
    finish(controller, controller.next_run())
    diverges, fails = controller.next_run(), controller.next_run()
    controller.take(diverges.key, epochs(1, accuracy=math.nan, outcome=Diverged()))
    controller.give_up(fails.key, "no epoch within 4 s")
    rows = {row["seed"]: row for row in Results(tmp_path).final().to_pylist()}
    outcomes = {seed: (row["state"], row["reason"], row["test_accuracy"], row["epochs"]) for seed, row in rows.items()}
    assert outcomes == {
        1: ("diverged", "the loss is not finite in epoch 1", None, 1),
        2: ("failed", "no epoch within 4 s", None, 0),
    }
    assert controller.finished

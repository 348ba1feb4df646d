"""Runs that failed: a search whose first trials all fail alike stops, and failed runs are tried again."""

import dataclasses

import pytest
from digits import digits_study
from made_up import finish, finish_all
from tables import sorted_rows

from tune_reg.execution.code_digests import CodeDigests
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Failed, RunReport
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.store.retried import without_retried
from tune_reg.store.rows import from_arrow
from tune_reg.study import make_plan

METHODS = ("weight-decay", "adadecay")
WHY = "ValueError: no (nets.py:7)"


def study(trials=6, **settings):
    return digits_study(
        **{"regularizers": list(METHODS), "search": {"trials": trials, "pruner": "none"}, "confirm": {"seeds": 2}}
        | settings
    )


def control(directory, trials=6, **settings):
    return StudyController(make_plan(study(trials)), directory, **settings)


def fail(controller, run, reason=WHY):
    assert controller.take(run.key, RunReport((), Failed(reason))) is Decision.STOP


def carry_out(controller, fails, limit=1000):
    """Run after run, where ``fails`` says why one of them fails, or None; the keys, in their order."""
    keys = []
    while not controller.finished and len(keys) < limit:
        run = controller.next_run()
        keys.append(run.key)
        reason = fails(run)
        if reason is None:
            finish(controller, run, 0.5 + 0.01 * run.trial.number)
        else:
            fail(controller, run, reason)
    return keys


def all_of(method, reason=WHY):
    return lambda run: reason if run.run.regularizer == method else None


def trials(directory, method=METHODS[0]):
    """The trials of a method that count, by number."""
    rows = without_retried(from_arrow("trials", Results(directory).trials()))
    return sorted((row for row in rows if row["regularizer"] == method), key=lambda row: row["trial"])


# Stopping a search


def test_a_search_whose_first_trials_all_fail_alike_stops_and_the_others_go_on(tmp_path):
    notes = []
    carry_out(control(tmp_path, note=notes.append), all_of("weight-decay"))
    assert [row["state"] for row in trials(tmp_path)] == ["failed"] * 3
    assert [row["state"] for row in trials(tmp_path, "adadecay")] == ["complete"] * 6
    assert {row["regularizer"] for row in Results(tmp_path).final().to_pylist()} == {"adadecay"}
    (note,) = notes
    assert note.startswith(f"weight-decay at 1: its first trials all failed with {WHY}; its 3 other trials are not")
    # Said again by whoever gives the command again, and decided alike.
    again = control(tmp_path, note=notes.append)
    assert again.finished
    assert notes[1:] == [note]


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_a_process_that_goes_on_stops_the_search_where_the_last_one_would_have(tmp_path, stop_after):
    fails = all_of("weight-decay")
    before = carry_out(control(tmp_path), fails, limit=stop_after)
    interrupted = control(tmp_path).next_run()
    after = carry_out(control(tmp_path), fails)
    assert interrupted.key == after[0]
    assert sum(key.startswith("weight-decay") for key in before + after) == 3


@pytest.mark.parametrize(
    "fails",
    [
        lambda run: f"ValueError: {run.trial.number} (nets.py:7)",
        lambda run: f"ValueError: no (nets.py:{run.trial.number})",
        lambda run: WHY if run.trial.number != 1 else None,
    ],
    ids=["another text", "another place", "one succeeds"],
)
def test_a_search_whose_first_trials_fail_otherwise_goes_on(tmp_path, fails):
    carry_out(control(tmp_path), lambda run: fails(run) if run.stage == "search" else None)
    assert len(trials(tmp_path)) == 6


def test_addresses_of_objects_make_no_difference(tmp_path):
    carry_out(control(tmp_path), lambda run: f"TypeError: <Net object at {hex(run.trial.number + 9)}> (nets.py:7)")
    assert len(trials(tmp_path)) == 3


def test_a_trial_that_waits_for_its_process_holds_up_no_decision(tmp_path):
    controller = control(tmp_path)
    waiting = controller.next_run()
    while controller.progress().tasks[0].failed < 3:
        run = controller.next_run()
        fail(controller, run) if run.run.regularizer == waiting.run.regularizer else finish(controller, run)
    assert controller.next_run(wanted=lambda task, _: task.regularizer == waiting.run.regularizer) is None
    fail(controller, waiting, "its process ended without a word")
    assert controller.next_run(wanted=lambda task, _: task.regularizer == waiting.run.regularizer) is None
    assert len(trials(tmp_path)) == 4


def test_trials_under_way_end_before_a_search_is_given_up(tmp_path):
    notes = []
    controller = control(tmp_path, note=notes.append)
    runs = [run for run in (controller.next_run() for _ in range(8)) if run.run.regularizer == "weight-decay"]
    for run in runs[:3]:
        fail(controller, run)
    assert notes == []
    started = [controller.next_run(wanted=lambda task, _: task.regularizer == "weight-decay") for _ in range(2)]
    assert started == [None, None]
    finish(controller, runs[3])
    # One has succeeded: the others may, too.
    assert controller.next_run(wanted=lambda task, _: task.regularizer == "weight-decay") is not None
    assert notes == []


# Trying again


@pytest.fixture
def failed(tmp_path):
    """A study two of whose trials and one of whose confirmed runs failed."""

    def fails(run):
        is_trial = run.stage == "search" and run.trial.number in (1, 4)
        return WHY if run.run.regularizer == "weight-decay" and (is_trial or run.run.seed == 2) else None

    carry_out(control(tmp_path), fails)
    return tmp_path


def test_failed_runs_stay_as_they_are_where_nothing_has_changed(failed):
    assert control(failed).finished


def test_failed_runs_are_tried_again_once_each_and_nothing_else_is(failed):
    before = {row["trial"]: row for row in trials(failed)}
    controller = control(failed, retry_failed=True)
    assert (controller.progress().tasks[0].failed, controller.progress().tasks[0].done) == (0, 4)
    runs = finish_all(controller)
    again = [run for run in runs if run.stage == "search"]
    assert [(run.trial.number, run.trial.retries, run.trial.params) for run in again] == [
        (6, 1, before[1]["params"]),
        (7, 4, before[4]["params"]),
    ]
    assert [(run.trial.number, run.run.seed) for run in runs if run.stage == "confirm"] == [(5, 2)]
    after = {row["trial"]: row for row in trials(failed)}
    assert {number: row for number, row in after.items() if number < 6} == {
        number: row for number, row in before.items() if row["state"] == "complete"
    }
    assert {row["state"] for row in after.values()} == {"complete"}
    assert len(after) == 6
    final = Results(failed).final().to_pylist()
    assert {row["state"] for row in final} == {"complete"}
    assert len(final) == 4
    assert control(failed).finished
    assert control(failed, retry_failed=True).finished


def test_a_better_trial_that_was_tried_again_wins_and_its_runs_replace_the_others(failed):
    runs = finish_all(control(failed, retry_failed=True), lambda _: 0.9)
    assert [(run.trial.number, run.run.seed) for run in runs if run.stage == "confirm"] == [(6, 1), (6, 2)]
    final = [row for row in Results(failed).final().to_pylist() if row["regularizer"] == "weight-decay"]
    assert sorted((row["trial"], row["seed"], row["state"]) for row in final) == [
        (6, 1, "complete"),
        (6, 2, "complete"),
    ]


@pytest.mark.parametrize("stop_after", range(4))
def test_a_second_try_that_is_interrupted_goes_on(failed, tmp_path_factory, stop_after):
    def numbers(directory):
        results = Results(directory)
        return [sorted_rows(table.to_pylist(), without=()) for table in (results.trials(), results.final())]

    uninterrupted = tmp_path_factory.mktemp("uninterrupted")
    carry_out_with_failures(uninterrupted)
    expected = [run.key for run in finish_all(control(uninterrupted, retry_failed=True))]
    before = [run.key for run in finish_all(control(failed, retry_failed=True), limit=stop_after)]
    control(failed, retry_failed=True).next_run()
    after = [run.key for run in finish_all(control(failed, retry_failed=True))]
    assert before + after == expected
    assert numbers(failed) == numbers(uninterrupted)


def carry_out_with_failures(directory):
    def fails(run):
        is_trial = run.stage == "search" and run.trial.number in (1, 4)
        return WHY if run.run.regularizer == "weight-decay" and (is_trial or run.run.seed == 2) else None

    carry_out(control(directory), fails)


def test_a_trial_that_fails_again_can_be_tried_once_more(failed):
    def failing_trials(run):
        return WHY if run.stage == "search" else None

    carry_out(control(failed, retry_failed=True), failing_trials)
    assert [(row["trial"], row["state"]) for row in trials(failed)][-2:] == [(6, "failed"), (7, "failed")]
    runs = finish_all(control(failed, retry_failed=True))
    assert [(run.trial.number, run.trial.retries) for run in runs] == [(8, 6), (9, 7)]
    assert len(trials(failed)) == 6


def test_a_search_that_was_stopped_goes_on_with_all_its_trials(tmp_path):
    carry_out(control(tmp_path), all_of("weight-decay"))
    runs = finish_all(control(tmp_path, retry_failed=True))
    assert [run.trial.retries for run in runs if run.stage == "search"] == [0, 1, 2, None, None, None]
    assert [row["state"] for row in trials(tmp_path)] == ["complete"] * 6


def test_a_search_that_was_stopped_stops_again_where_its_trials_fail_again(tmp_path):
    carry_out(control(tmp_path), all_of("weight-decay"))
    assert len(carry_out(control(tmp_path, retry_failed=True), all_of("weight-decay"))) == 3
    assert control(tmp_path).finished


def test_diverged_runs_are_results_and_no_failures(tmp_path):
    from made_up import epochs

    from tune_reg.execution.messages import Diverged

    controller = control(tmp_path, trials=1)
    while not controller.finished:
        controller.take(controller.next_run().key, epochs(1, accuracy=float("nan"), outcome=Diverged()))
    assert control(tmp_path, trials=1, retry_failed=True).finished


def with_code(monkeypatch, digest):
    """Let the user's model have this digest from now on."""
    code = CodeDigests(digest, None, None, dict.fromkeys(METHODS), dict.fromkeys(METHODS))
    monkeypatch.setattr("tune_reg.execution.recorder.code_digests", lambda _: code)


def test_failed_runs_are_tried_again_once_their_code_has_changed(tmp_path, monkeypatch):
    with_code(monkeypatch, "a")
    carry_out_with_failures(tmp_path)
    assert {row["code"] for row in Results(tmp_path).trials().to_pylist()} == {"a"}
    assert control(tmp_path).finished
    with_code(monkeypatch, "b")
    runs = finish_all(control(tmp_path))
    assert [(run.stage, run.trial.retries) for run in runs] == [("search", 1), ("search", 4), ("confirm", None)]
    assert control(tmp_path).finished
    with_code(monkeypatch, "c")
    assert control(tmp_path).finished, "nothing is left that failed"


def test_a_run_that_does_not_tell_its_code_is_tried_again_only_when_asked_for(tmp_path, monkeypatch):
    """As those of release 0.1."""
    carry_out_with_failures(tmp_path)
    with_code(monkeypatch, "a")
    assert control(tmp_path).finished
    assert not control(tmp_path, retry_failed=True).finished


def test_only_robustness_tries_nothing_again(failed):
    assert control(failed, robustness_only=True, retry_failed=True).finished
    assert control(failed).finished


def test_a_method_digest_depends_on_each_part():
    code = CodeDigests("m", None, None, {"a": "r"}, {"a": "s"})
    parts = [
        dataclasses.replace(code, model="x"),
        dataclasses.replace(code, regularizers={"a": "x"}),
        dataclasses.replace(code, spaces={"a": "x"}),
    ]
    assert len({one.of_method("a") for one in [code, *parts]}) == 4

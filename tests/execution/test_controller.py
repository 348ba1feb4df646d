"""The controller of a study, driven by hand: the order of its runs, what a killed process leaves, progress, growth."""

import pytest
from digits import digits_study
from made_up import epochs, finish, finish_all
from tables import sorted_rows

from tune_reg.errors import StoreError, TuneRegError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, StorageFault
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import make_plan


def two_methods(**settings):
    return digits_study(**{"regularizers": ["weight-decay", "adadecay"], "confirm": {"seeds": 2}, **settings})


def control(directory, study=None):
    return StudyController(make_plan(study or two_methods()), directory)


def test_searches_then_confirms_the_winner_on_fresh_paired_seeds(tmp_path):
    controller = control(tmp_path, two_methods(fractions=[0.5, 1.0]))
    runs = finish_all(controller, lambda run: 0.5 + 0.1 * run.trial.number)
    search, confirm = ([r for r in runs if r.stage == stage] for stage in ("search", "confirm"))
    assert len(search) == 6
    assert {r.run.seed for r in search} == {0}
    assert all(r.trial.number == 2 for r in confirm)
    expected = {(n, f, s) for n in ("weight-decay", "adadecay") for f in (0.5, 1.0) for s in (1, 2)}
    assert {(r.run.regularizer, r.run.fraction, r.run.seed) for r in confirm} == expected
    assert len(confirm) == len(expected)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The keys of all runs of a study, and its tables."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    keys = [run.key for run in finish_all(control(directory))]
    return keys, tables(directory)


def tables(directory):
    results = Results(directory)
    read = (results.trials(), results.epochs(), results.final())
    return [sorted_rows(table.to_pylist(), without=()) for table in read]


@pytest.mark.parametrize("stop_after", range(1, 11))
def test_a_new_controller_goes_on_where_the_last_one_stopped(tmp_path, uninterrupted, stop_after):
    before = finish_all(control(tmp_path), limit=stop_after)
    interrupted = control(tmp_path).next_run()  # asked for, and the process is killed
    after = finish_all(control(tmp_path))
    assert interrupted is None or interrupted.key == after[0].key
    assert ([run.key for run in before + after], tables(tmp_path)) == uninterrupted


def test_a_run_stored_but_not_told_is_told_and_not_run_again(tmp_path, monkeypatch):
    controller = control(tmp_path)
    run = controller.next_run()

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AskTell, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            finish(controller, run, 0.75)
    again = control(tmp_path)
    rest = finish_all(again)
    assert run.key not in {other.key for other in rest}
    assert again.progress().tasks[0].best == 0.75
    winners = {r.trial.number for r in rest if r.stage == "confirm" and r.run.regularizer == run.run.regularizer}
    assert winners == {run.trial.number}


def test_epochs_that_are_reported_twice_count_once(tmp_path):
    controller = control(tmp_path)
    run = controller.next_run()
    controller.take(run.key, epochs(1))
    assert controller.take(run.key, epochs(1, 2, outcome=Completed())) is Decision.STOP
    assert [row["epoch"] for row in Results(tmp_path).epochs().to_pylist()] == [1, 2]
    assert controller.progress().epochs == 2


def test_a_run_that_is_over_is_to_stop_and_changes_nothing_more(tmp_path):
    controller = control(tmp_path)
    run = controller.next_run()
    finish(controller, run)
    before = Results(tmp_path).trials()
    assert controller.take(run.key, epochs(1, 2, accuracy=1.0, outcome=Completed())) is Decision.STOP
    assert Results(tmp_path).trials().equals(before)


def test_a_run_that_is_given_up_is_stored_with_its_reason_and_the_study_goes_on(tmp_path):
    controller = control(tmp_path, digits_study())
    lost = controller.next_run()
    controller.take(lost.key, epochs(1))
    controller.give_up(lost.key, "its process ended without a word")
    (stored,) = Results(tmp_path).trials().to_pylist()
    assert (stored["state"], stored["reason"]) == ("failed", "its process ended without a word")
    assert (stored["value"], stored["epochs_trained"]) == (None, 1)
    rest = finish_all(controller)
    assert [run.stage for run in rest] == ["search", "search", "confirm"]
    assert rest[-1].trial.number != lost.trial.number
    assert controller.progress().tasks[0].failed == 1


def test_progress_counts_everything(tmp_path):
    controller = control(tmp_path, digits_study(confirm={"seeds": 2}))
    assert controller.progress().left_s is None
    finish(controller, controller.next_run(), 0.25)
    controller.next_run()
    progress = controller.progress()
    (task,) = progress.tasks
    assert (task.running, task.done, task.best) == (1, 1, 0.25)
    assert (progress.confirmed, progress.confirmations, progress.epochs) == (0, 2, 2)
    assert progress.left_s > 0


def test_a_run_waits_from_when_it_is_said_to_until_it_has_its_processors_or_reports(tmp_path):
    controller = control(tmp_path, digits_study(search={"trials": 2, "pruner": "none"}))

    def counts():
        (task,) = controller.progress().tasks
        return task.running, task.waiting

    first, second = controller.next_run(), controller.next_run()
    assert counts() == (2, 0)
    for run in (first, second):
        controller.set_waiting(run.key, is_waiting=True)
    assert counts() == (0, 2)
    controller.set_waiting(first.key, is_waiting=False)
    assert counts() == (1, 1)
    controller.take(second.key, epochs(1))
    assert counts() == (2, 0)
    finish(controller, first, 0.25)
    finish(controller, second, 0.5)
    confirmed = controller.next_run()
    controller.set_waiting(confirmed.key, is_waiting=True)
    progress = controller.progress()
    assert (counts(), progress.confirming, progress.confirming_waiting) == ((0, 0), 0, 1)
    controller.set_waiting(first.key, is_waiting=True)  # it has ended meanwhile
    assert counts() == (0, 0)


def test_the_best_is_that_of_the_store(tmp_path):
    (tmp_path / "study.toml").write_text(two_methods().to_toml())
    runs = finish_all(control(tmp_path), lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    confirmed = [run for run in runs if run.stage == "confirm" and run.run.regularizer == "adadecay"]
    assert [run.trial.params for run in confirmed] == [Results(tmp_path).best("adadecay")] * 2


# The study as a whole


def test_the_first_error_stops_the_study_and_nothing_more_is_started_or_written(tmp_path):
    controller = control(tmp_path)
    run = controller.next_run()
    controller.raise_if_stopped()
    controller.take_fault(StorageFault("No space left on device"))
    controller.stop(TuneRegError("another one"))
    assert controller.stopped
    assert controller.next_run() is None
    assert controller.take(run.key, epochs(1, 2, outcome=Completed())) is Decision.CONTINUE
    controller.give_up(run.key, "it failed")
    assert Results(tmp_path).trials().num_rows == 0
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); make room and give the comm"):
        controller.raise_if_stopped()
    assert control(tmp_path).next_run().key == run.key


def test_a_row_that_cannot_be_written_stops_the_study(tmp_path, monkeypatch):
    controller = control(tmp_path)
    run = controller.next_run()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tune_reg.store.Store.write", full)
        controller.take(run.key, epochs(1, 2, outcome=Completed()))
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); make room"):
        controller.raise_if_stopped()


# A study that asks for more


def test_more_trials_confirm_the_new_winner_and_drop_the_runs_of_the_old_one(tmp_path):
    finish_all(control(tmp_path), lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    assert set(Results(tmp_path).final()["trial"].to_pylist()) == {1}
    more = two_methods(search={"trials": 5, "pruner": "none"})
    runs = finish_all(control(tmp_path, more), lambda run: 0.5 + 0.2 * (run.trial.number == 4))
    assert [run.stage for run in runs] == ["search"] * 4 + ["confirm"] * 4
    results = Results(tmp_path)
    assert set(results.final()["trial"].to_pylist()) == {4}
    assert {row["trial"] for row in results.epochs().to_pylist() if row["stage"] == "confirm"} == {4}
    assert results.trials().num_rows == 10


def test_more_trials_that_find_nothing_better_confirm_nothing_anew(tmp_path):
    finish_all(control(tmp_path), lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    runs = finish_all(control(tmp_path, two_methods(search={"trials": 4, "pruner": "none"})))
    assert [run.stage for run in runs] == ["search", "search"]


def test_more_seeds_and_regularizers_add_only_themselves(tmp_path):
    finish_all(control(tmp_path))
    more = two_methods(regularizers=["weight-decay", "adadecay", "l1"], confirm={"seeds": 3})
    runs = finish_all(control(tmp_path, more))
    assert {(run.stage, run.run.regularizer) for run in runs} == {
        ("search", "l1"),
        ("confirm", "l1"),
        ("confirm", "weight-decay"),
        ("confirm", "adadecay"),
    }
    assert [run.run.seed for run in runs if run.run.regularizer == "adadecay"] == [3]

"""Progress as read from a directory, beside what the controller that fills it says."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from digits import digits_study
from made_up import FINAL, epochs

from tune_reg.execution import progress
from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, RunReport
from tune_reg.execution.progress import DirectoryProgress, stored_progress
from tune_reg.search.decision import Decision
from tune_reg.study import Study, make_plan
from tune_reg.training import checkpoint

STUDY = digits_study(
    regularizers=["weight-decay", "adadecay"],
    training={"epochs": 3, "batch_size": 64},
    search={"trials": 6, "pruner": "asha", "reduction_factor": 2, "min_epochs": 1},
    confirm={"seeds": 2},
)
PLAN = make_plan(STUDY)


def events(controller):
    """Carry the study out two runs at a time; a stop after each event."""
    live, trained = [], {}
    while not controller.finished:
        while len(live) < 2 and (run := controller.next_run()) is not None:
            live.append(run)
            yield
        run = live.pop(0)
        decision = Decision.CONTINUE
        for epoch in range(1 + trained.get(run.key, 0), 4):
            trained[run.key] = epoch
            checkpoint.save(Path(controller.order(run).checkpoints), epoch, {"epoch": epoch})
            accuracy = 0.5 + 0.01 * ((7 * run.trial.number + 3 * epoch) % 10)
            decision = controller.take(run.key, epochs(epoch, accuracy=accuracy))
            yield
            if decision is not Decision.CONTINUE:
                break
        if decision is Decision.CONTINUE:
            if run.stage == "search" and (run.trial.task.regularizer, run.trial.number) == ("adadecay", 0):
                controller.give_up(run.key, "for the test")
            else:
                outcome = Completed(final=FINAL if run.stage == "confirm" else None)
                controller.take(run.key, RunReport(outcome=outcome))
            yield


@pytest.fixture
def out(tmp_path):
    """A results directory with the study file."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.toml").write_text(STUDY.to_toml())
    return tmp_path / "out"


def begin(out, count=9):
    """The first events of the study."""
    steps = events(StudyController(PLAN, out))
    for _ in itertools.islice(steps, count):
        pass
    return steps


def test_the_directory_says_what_the_controller_knows(tmp_path):
    controller = StudyController(PLAN, tmp_path / "out")
    seen = set()
    for _ in events(controller):
        now, stored = controller.progress(), stored_progress(PLAN, tmp_path / "out")
        assert [replace(task, task=None) for task in stored.tasks] == [
            replace(task, task=None, waiting=None) for task in now.tasks
        ]
        assert (stored.confirmed, stored.confirmations) == (now.confirmed, now.confirmations)
        # A run that has begun, but has no checkpoint yet, cannot be seen; nor are epochs of one that is not over.
        assert stored.confirming <= now.confirming
        assert now.epochs - 6 <= stored.epochs <= now.epochs
        seen |= {(task.running, task.done, task.pruned, task.failed) for task in stored.tasks}
    assert stored.epochs == now.epochs
    assert (stored.confirmed, stored.confirming) == (4, 0)
    assert any(pruned for _, _, pruned, _ in seen)
    assert any(failed for *_, failed in seen)


def test_the_directory_says_what_the_controller_knows_of_trials_that_are_paused(tmp_path):
    search = {"trials": 6, "sampler": "knowledge-gradient", "pruner": "pause", "min_epochs": 1}
    plan = make_plan(Study(**{**STUDY.to_plain(), "search": search}))
    controller = StudyController(plan, tmp_path / "out")
    most = 0
    for _ in events(controller):
        now, stored = controller.progress(), stored_progress(plan, tmp_path / "out")
        for task, of_store in zip(now.tasks, stored.tasks, strict=True):
            assert replace(of_store, trainings=None) == replace(task, trainings=None, waiting=None)
            # What a trial was allowed to train, but has not, is in no table.
            assert of_store.used <= task.used <= task.budget
            most = max(most, task.paused)
    assert most > 0
    assert [task.paused for task in now.tasks] == [0, 0]
    assert all(task.used == pytest.approx(task.budget, abs=0.4) for task in stored.tasks)
    assert (stored.confirmed, stored.confirming) == (4, 0)


def files(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_nothing_is_written_and_a_line_half_written_is_not_read(tmp_path, out):
    begin(out)
    whole = stored_progress(PLAN, out)
    with (out / "search.journal").open("ab") as file:
        file.write(b'{"op_code": 6, "tri')
    before = files(tmp_path)
    assert stored_progress(PLAN, out) == whole
    assert files(tmp_path) == before


def test_a_directory_that_is_not_there_or_of_another_study_is_none(tmp_path):
    follower = DirectoryProgress(PLAN, STUDY.to_toml(), tmp_path / "out")
    assert follower() is None
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.toml").write_text(STUDY.to_toml().replace('"small"', '"other"'))
    assert follower() is None


def test_the_time_left_is_told_by_what_is_trained_meanwhile(out, monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    steps = begin(out, 12)
    follower = DirectoryProgress(PLAN, STUDY.to_toml(), out)
    first = follower()
    assert (first.elapsed_s, first.left_s) == (0.0, None)
    for _ in itertools.islice(steps, 8):
        pass
    now = 130.0
    second = follower()
    assert second.elapsed_s == 30.0
    assert second.epochs > first.epochs
    ended = sum(task.done + task.pruned + task.failed for task in second.tasks)
    left = second.epochs / ended * (12 - ended) + 3 * 4  # no run is confirmed yet
    assert second.left_s == pytest.approx(left * 30.0 / (second.epochs - first.epochs))


def test_where_a_table_is_replaced_at_this_moment_the_last_progress_stays(out, monkeypatch):
    begin(out)
    follower = DirectoryProgress(PLAN, STUDY.to_toml(), out)
    last = follower()

    def gone(*_):
        raise FileNotFoundError

    monkeypatch.setattr(progress, "stored_progress", gone)
    assert follower() is last is not None

"""Progress as read from a directory, beside what the sweep that fills it knows."""

import itertools
from dataclasses import replace

import pytest

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.execution.progress import DirectoryProgress, progress
from tune_reg.search import progress as reading
from tune_reg.training import checkpoint

STUDY = Study(
    name="read",
    dataset="digits",
    model="nn-2",
    regularizers=["weight-decay", "adadecay"],
    training={"epochs": 3, "batch_size": 64},
    search={"trials": 6, "pruner": "asha", "reduction_factor": 2, "min_epochs": 1},
    confirm={"seeds": 2},
)
ROW = {"learning_rate": 0.1, "strength": 1e-4, "train_loss": 1.0, "val_loss": 1.0, "wall_s": 0.25}
FINAL = {"n_train": 1, "n_test": 1, "val_accuracy": 0.5, "test_accuracy": 0.5}


def events(sweep):
    """Run the sweep two runs at a time; a stop after each event."""
    live = []
    while not sweep.finished:
        while len(live) < 2 and (run := sweep.next()) is not None:
            live.append(run)
            yield
        run = live.pop(0)
        over = False
        for epoch in (1, 2, 3):
            checkpoint.save(sweep.checkpoint_directory(run.key), epoch, {"epoch": epoch})
            accuracy = 0.5 + 0.01 * ((7 * run.trial.number + 3 * epoch) % 10)
            over = over or sweep.on_epochs(run.key, [{**ROW, "epoch": epoch, "val_accuracy": accuracy}])
            yield
            if over:
                break
        if not over:
            if run.stage == "search" and (run.trial.task.regularizer, run.trial.number) == ("adadecay", 0):
                sweep.end(run.key, "failed", reason="for the test")
            else:
                sweep.end(run.key, "complete", final=FINAL if run.stage == "confirm" else None)
            yield


def test_the_directory_says_what_the_sweep_knows(tmp_path):
    sweep = StudyController(STUDY, tmp_path / "out")
    seen = set()
    for _ in events(sweep):
        known, read = sweep.progress(), progress(STUDY, tmp_path / "out")
        assert [replace(task, task=None) for task in read.tasks] == [replace(task, task=None) for task in known.tasks]
        assert (read.confirmed, read.confirmations) == (known.confirmed, known.confirmations)
        # A run that has begun, but has no checkpoint yet, cannot be seen; nor are epochs of one that is not over.
        assert read.confirming <= known.confirming
        assert known.epochs - 6 <= read.epochs <= known.epochs
        seen |= {(task.running, task.done, task.pruned, task.failed) for task in read.tasks}
    assert read.epochs == known.epochs
    assert (read.confirmed, read.confirming) == (4, 0)
    assert any(pruned for _, _, pruned, _ in seen)
    assert any(failed for *_, failed in seen)


def files(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_nothing_is_written_and_a_line_half_written_is_not_read(tmp_path):
    for _ in itertools.islice(events(StudyController(STUDY, tmp_path / "out")), 9):
        pass
    journal = tmp_path / "out" / "search.journal"
    whole = progress(STUDY, tmp_path / "out")
    with journal.open("ab") as file:
        file.write(b'{"op_code": 6, "tri')
    before = files(tmp_path)
    assert progress(STUDY, tmp_path / "out") == whole
    assert files(tmp_path) == before


@pytest.fixture
def follower(tmp_path):
    return DirectoryProgress(STUDY, STUDY.to_toml(), tmp_path / "out")


def test_a_directory_that_is_not_there_or_another_studys_is_none(tmp_path, follower):
    assert follower() is None
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.toml").write_text(STUDY.to_toml().replace("read", "other"))
    assert follower() is None


def test_the_time_left_is_told_by_what_is_trained_meanwhile(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(reading.time, "monotonic", lambda: now)
    sweep = StudyController(STUDY, tmp_path / "out")
    (tmp_path / "out" / "study.toml").write_text(STUDY.to_toml())
    steps = events(sweep)
    for _ in itertools.islice(steps, 12):
        pass
    follower = DirectoryProgress(STUDY, STUDY.to_toml(), tmp_path / "out")
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


def test_where_a_table_is_replaced_at_this_moment_the_last_answer_stands(tmp_path, follower, monkeypatch):
    for _ in itertools.islice(events(StudyController(STUDY, tmp_path / "out")), 9):
        pass
    (tmp_path / "out" / "study.toml").write_text(STUDY.to_toml())
    last = follower()

    def gone(*_):
        raise FileNotFoundError

    monkeypatch.setattr(reading, "progress", gone)
    assert follower() is last is not None

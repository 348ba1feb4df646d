"""Files that a crash left broken, and a disk that takes no more."""

import os
import shutil
import subprocess

import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import run_study
from tune_reg.errors import StoreError
from tune_reg.execution.controller import StudyController
from tune_reg.search.ask_tell import AskTell
from tune_reg.store import Results
from tune_reg.training import checkpoint

KEYS = {
    "name": "files",
    "dataset": "digits",
    "model": "nn-2-small",
    "regularizers": ["weight-decay"],
    "training": {"epochs": 2, "batch_size": 64},
    "search": {"trials": 3, "pruner": "none"},
    "confirm": {"seeds": 1},
}


def row(epoch):
    numbers = dict.fromkeys(("learning_rate", "strength", "train_loss", "val_loss", "val_accuracy", "wall_s"), 0.5)
    return {"epoch": epoch, **numbers}


def finish(sweep, run):
    sweep.on_epochs(run.key, [row(1), row(2)])
    sweep.end(run.key, "complete", final={"test_accuracy": 0.5} if run.stage == "confirm" else None)


def test_a_journal_with_half_a_line_goes_on(tmp_path):
    study = Study(**KEYS)
    sweep = StudyController(study, tmp_path)
    finish(sweep, sweep.next())
    second = sweep.next()
    journal = tmp_path / "search.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:17])
    (tmp_path / "search.journal.lock").symlink_to(journal)  # as Optuna leaves it when it is killed while it writes
    again = StudyController(study, tmp_path)
    assert journal.read_bytes().startswith(whole)
    assert again.next().key == second.key
    while not again.finished:
        run = again.next()
        if run is None:
            run = next(iter(again._live.values())).run
        finish(again, run)
    assert Results(tmp_path).trials().num_rows == 3
    AskTell(journal, again.tasks, study.search, epochs=2)  # reads it all


@pytest.mark.parametrize("harm", ["truncated", "zeroed", "missing"])
def test_the_older_checkpoint_is_taken_where_the_newest_is_broken(tmp_path, harm):
    checkpoint.save(tmp_path, 1, {"epoch": 1})
    newest = checkpoint.save(tmp_path, 2, {"epoch": 2})
    if harm == "missing":
        newest.unlink()
    else:
        data = newest.read_bytes()
        newest.write_bytes(data[: len(data) // 2] if harm == "truncated" else bytes(len(data)))
    assert checkpoint.load_newest(tmp_path) == {"epoch": 1}


def test_a_checkpoint_half_written_is_none(tmp_path):
    checkpoint.save(tmp_path, 1, {"epoch": 1})
    (tmp_path / ".epoch-000002-0123456789abcdef.pt.77.tmp").write_bytes(b"PK")
    assert checkpoint.load_newest(tmp_path) == {"epoch": 1}


def test_a_part_half_written_is_no_part_and_one_that_is_cut_is_named(tmp_path):
    study = Study(**KEYS)
    (tmp_path / "study.toml").write_text(study.to_toml())
    sweep = StudyController(study, tmp_path)
    while not sweep.finished:
        finish(sweep, sweep.next())
    (tmp_path / "tables" / "trials" / ".weight-decay-at-1-trial-00009.parquet.77.tmp").write_bytes(b"PAR1")
    assert load(tmp_path).trials().num_rows == 3
    part = tmp_path / "tables" / "final" / next((tmp_path / "tables" / "final").glob("*.parquet")).name
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(
        StoreError, match=f"{part.name} cannot be read as Parquet .*; bring it back from a copy, or"
    ) as e:
        load(tmp_path).final()
    assert "\n" not in str(e.value)
    part.unlink()
    again = StudyController(study, tmp_path)
    assert [again.next().stage] == ["confirm"], "a confirmed run that is moved away is made again"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with little room, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.ray
def test_a_full_disk_ends_the_study_in_one_line_and_it_goes_on_when_there_is_room(small_disk, ray_cluster):
    filler = small_disk / "filler"
    study = Study(**{**KEYS, "training": {"epochs": 30, "batch_size": 32}})
    out = small_disk / "out"
    out.mkdir()
    filler.write_bytes(bytes(5 * 2**20))
    with pytest.raises(
        StoreError, match=r"cannot be written \(.*No space left on device\); make room and give"
    ) as caught:
        run_study(study, out)
    assert "\n" not in str(caught.value)
    filler.unlink()
    results = run_study(study, out)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3
    assert results.final().num_rows == 1


@pytest.mark.ray
@pytest.mark.slow
def test_a_full_disk_in_the_store_ends_the_study_in_one_line(tmp_path, ray_cluster, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    study = Study(**KEYS)
    with monkeypatch.context() as patched:
        patched.setattr("tune_reg.store.Store.write", full)
        with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); make room"):
            run_study(study, tmp_path)
    assert run_study(study, tmp_path).trials()["state"].to_pylist() == ["complete"] * 3

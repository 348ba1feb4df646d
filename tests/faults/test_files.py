"""Files that a crash left broken, and a disk that takes no more."""

import os
import shutil
import subprocess

import in_process
import pytest
from digits import digits_study
from made_up import completed, finish_all

from tune_reg import load
from tune_reg.errors import StoreError
from tune_reg.execution.controller import StudyController
from tune_reg.search.ask_tell import AskTell
from tune_reg.store import Results
from tune_reg.study import make_plan
from tune_reg.training import checkpoint

PLAN = make_plan(digits_study())


def test_a_journal_with_half_a_line_goes_on(tmp_path):
    controller = StudyController(PLAN, tmp_path)
    finish_all(controller, limit=1)
    second = controller.next_run()
    journal = tmp_path / "search.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:17])
    (tmp_path / "search.journal.lock").symlink_to(journal)  # as Optuna leaves it when it is killed while it writes
    again = StudyController(PLAN, tmp_path)
    assert journal.read_bytes().startswith(whole)
    run = again.next_run()
    assert run.key == second.key
    again.take(run.key, completed(run))
    finish_all(again)
    assert Results(tmp_path).trials().num_rows == 3
    AskTell(journal, PLAN.tasks, PLAN.study.search, epochs=2)  # reads it all


@pytest.mark.parametrize("harm", ["truncated", "zeroed", "missing", "a folder"])
def test_the_older_checkpoint_is_taken_where_the_newest_is_broken(tmp_path, harm):
    checkpoint.save(tmp_path, 1, {"epoch": 1})
    newest = checkpoint.save(tmp_path, 2, {"epoch": 2})
    if harm in ("missing", "a folder"):
        newest.unlink()
        if harm == "a folder":
            newest.mkdir()
    else:
        data = newest.read_bytes()
        newest.write_bytes(data[: len(data) // 2] if harm == "truncated" else bytes(len(data)))
    assert checkpoint.load_newest(tmp_path) == {"epoch": 1}
    checkpoint.save(tmp_path, 3, {"epoch": 3})
    assert checkpoint.load_newest(tmp_path) == {"epoch": 3}


def test_a_checkpoint_half_written_is_none(tmp_path):
    checkpoint.save(tmp_path, 1, {"epoch": 1})
    (tmp_path / ".epoch-000002-0123456789abcdef.pt.77.tmp").write_bytes(b"PK")
    assert checkpoint.load_newest(tmp_path) == {"epoch": 1}


def test_a_part_half_written_is_no_part_and_one_that_is_cut_is_named(tmp_path):
    (tmp_path / "study.toml").write_text(PLAN.study.to_toml())
    finish_all(StudyController(PLAN, tmp_path))
    (tmp_path / "tables" / "trials" / ".weight-decay-at-1-trial-00009.parquet.77.tmp").write_bytes(b"PAR1")
    assert load(tmp_path).trials().num_rows == 3
    (part,) = (tmp_path / "tables" / "final").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    message = f"{part.name} cannot be read as Parquet .*; bring it back from a copy, or"
    with pytest.raises(StoreError, match=message) as error:
        load(tmp_path).final()
    assert "\n" not in str(error.value)
    part.unlink()
    again = StudyController(PLAN, tmp_path)
    assert again.next_run().stage == "confirm", "a confirmed run that is moved away is made again"


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


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_full_disk_ends_the_study_in_one_line_and_it_goes_on_when_there_is_room(small_disk, lanes):
    filler = small_disk / "filler"
    study = digits_study(training={"epochs": 30, "batch_size": 256})
    out = small_disk / "out"
    out.mkdir()
    filler.write_bytes(bytes(5 * 2**20))
    message = r"cannot be written \(.*No space left on device\); make room and give"
    with pytest.raises(StoreError, match=message) as error:
        in_process.run_study(study, out, lanes=lanes)
    assert "\n" not in str(error.value)
    filler.unlink()
    results = in_process.run_study(study, out, lanes=lanes)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3
    assert results.final().num_rows == 1


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_full_disk_in_the_store_ends_the_study_in_one_line(tmp_path, monkeypatch, lanes):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tune_reg.store.Store.write", full)
        with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); make room"):
            in_process.run_study(PLAN.study, tmp_path, lanes=lanes)
    results = in_process.run_study(PLAN.study, tmp_path, lanes=lanes)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3

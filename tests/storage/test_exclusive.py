"""A results directory that one run holds: who holds it, and what killed runs left in it."""

import os
import platform
import subprocess
import sys

import pytest

from tune_reg.errors import StoreError
from tune_reg.storage import exclusive as module
from tune_reg.storage.exclusive import exclusive


def refusal(directory):
    with pytest.raises(StoreError) as caught, exclusive(directory):
        pass
    return str(caught.value)


def test_the_holder_is_named_with_host_process_and_time(tmp_path):
    with exclusive(tmp_path):
        said = refusal(tmp_path)
        assert f"in use by process {os.getpid()} on {platform.node()} since 20" in said
    assert list(tmp_path.iterdir()) == []
    with exclusive(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"\xff", None], ids=["empty", "no text", "absent"])
def test_a_holder_that_does_not_say_who_it_is_is_told_by_its_file(tmp_path, monkeypatch, content):
    monkeypatch.setattr(module, "_NAMED_WITHIN_S", 0.1)
    with exclusive(tmp_path):
        holder = tmp_path / ".holder"
        holder.unlink() if content is None else holder.write_bytes(content)
        assert f"in use by a process that is not named in {holder}; wait" in refusal(tmp_path)


def test_a_process_that_is_dead_is_not_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_NAMED_WITHIN_S", 0.1)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with exclusive(tmp_path):
        (tmp_path / ".holder").write_text(f"process {dead.pid} on {platform.node()} since then")
        assert "not named" in refusal(tmp_path)


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path):
    left = [
        ".study.toml.77.tmp",
        ".write-test.77",
        "search.journal.lock",
        "tables/trials/.l1-at-1-trial-00000.parquet.77.tmp",
        "tables/epochs/._pack-00001.parquet.77.tmp",
        "checkpoints/l1/.epoch-000002-0123456789abcdef.pt.77.tmp",
        "report/figures/.tuning.png.4194305.tmp",
    ]
    stay = [
        "tables/trials/l1-at-1-trial-00000.parquet",
        "tables/trials/._l1-at-1-trial-00000.parquet",
        ".notes.tmp",
        f"report/figures/.tuning.svg.{os.getpid()}.tmp",
    ]
    for name in (*left, *stay):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with exclusive(tmp_path):
        pass
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        stay
    )

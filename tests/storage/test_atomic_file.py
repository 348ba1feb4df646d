import os

import pytest

from tune_reg.storage.atomic_file import write_atomic


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_what_was_there_stays_whole_where_writing_fails(tmp_path, monkeypatch, failing):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")

    def fail(*_):
        raise OSError("no space left")

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_it_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, order = tmp_path / "a.bin", []
    fsync, replace = os.fsync, type(path).replace

    def noted_fsync(descriptor):
        order.append("flushed" if not path.exists() else "named")
        fsync(descriptor)

    def noted_replace(source, target):
        order.append(f"renamed {source.read_bytes()!r}")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(type(path), "replace", noted_replace)
    write_atomic(path, b"data")
    assert order == ["flushed", "renamed b'data'"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "absent" / "a.bin", b"")

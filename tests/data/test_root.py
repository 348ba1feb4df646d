from __future__ import annotations

from pathlib import Path

from tune_reg.data import root


def test_argument_before_environment_before_cache(monkeypatch, cache):
    assert root.given_root(None) is None
    assert root.search_folders(None) == [cache]
    assert root.download_target(None) == cache
    monkeypatch.setenv("TUNE_REG_DATA", "~/data")
    assert root.given_root(None) == Path("~/data").expanduser()
    assert root.given_root("here") == Path.cwd() / "here"
    assert root.search_folders(Path("/a")) == [Path("/a"), cache]


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("TUNE_REG_DATA", "")
    assert root.given_root(None) is None


def test_download_goes_where_one_can_write(tmp_path, cache, monkeypatch):
    assert root.download_target(tmp_path / "new" / "deep") == tmp_path / "new" / "deep"
    monkeypatch.setattr(root.os, "access", lambda *_: False)  # a read-only disk; root may write anywhere else
    assert root.download_target(tmp_path) == cache

"""Checkpoints and whole results in a store."""

import pytest

from tune_reg import load
from tune_reg.cluster.fetch import fetch
from tune_reg.cluster.folders import ObjectStoreFolder
from tune_reg.errors import StoreError
from tune_reg.store import Results, Store
from tune_reg.training import checkpoint


@pytest.mark.parametrize("harm", ["truncated", "missing"])
def test_two_checkpoints_are_kept_and_a_broken_one_is_passed_over(store, harm):
    for epoch in (1, 2, 3):
        newest = checkpoint.save(store, epoch, {"epoch": epoch})
    assert len(store.glob("*")) == 2
    assert checkpoint.load_newest(store) == {"epoch": 3}
    if harm == "truncated":
        newest.write_bytes(newest.read_bytes()[:-100])
    else:
        newest.unlink()
    assert checkpoint.load_newest(store) == {"epoch": 2}
    checkpoint.remove(store)
    assert checkpoint.load_newest(store) is None


def row(trial):
    return {"regularizer": "l1", "fraction": 1.0, "trial": trial, "params": {"strength": 0.1}, "value": trial / 10}


@pytest.fixture
def filled(store):
    (store / "study.toml").write_bytes(b'name = "a"\n')
    tables = Store(store, study_hash="0")
    for trial in range(5):
        tables.write("trials", f"l1-{trial}", [{**row(trial), "state": "complete"}])
    tables.compact("trials", {f"l1-{trial}" for trial in range(3)})
    (store / ".locks" / "a.json").write_bytes(b"{}")
    return store


def test_tables_are_read_from_compacted_and_single_files(filled):
    assert sorted(load(str(filled)).trials()["trial"].to_pylist()) == [0, 1, 2, 3, 4]
    assert load(str(filled)).best_trials("l1", 1) == [{"strength": 0.1}]
    again = Store(filled, study_hash="0")
    assert again.keys("trials") == {f"l1-{trial}" for trial in range(5)}
    assert again.rows("trials", "l1-1")[0]["trial"] == 1
    again.drop("trials", "l1-4")
    assert not again.has("trials", "l1-4")
    assert again.has("trials", "l1-3")


def test_a_broken_part_is_named(filled):
    part = filled / "tables" / "trials" / "l1-4.parquet"
    part.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"l1-4.parquet cannot be read as Parquet .*; bring it back from a copy, or"):
        load(str(filled)).trials()


def test_it_is_brought_home_whole_and_without_locks(filled, tmp_path):
    home = tmp_path / "home"
    entries = fetch(ObjectStoreFolder(filled), home)
    assert "study.toml" in {entry.path for entry in entries}
    assert not (home / ".locks").exists()
    assert Results(home).trials().equals(load(str(filled)).trials())
    with pytest.raises(StoreError, match="is not empty"):
        fetch(ObjectStoreFolder(filled), home)
    with pytest.raises(StoreError, match="holds no study"):
        fetch(ObjectStoreFolder(filled / "tables"), tmp_path / "other")

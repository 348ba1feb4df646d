import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tune_reg.store import SCHEMAS, Store, load


def test_rows_come_back_with_params_as_text_and_as_columns(store, trial):
    store.write("trials", "a", [trial(0), trial(1, value=None, state="diverged")])
    table = load(store.directory).trials()
    assert table.schema.field("param_alpha").type == pa.float64()
    assert table["param_alpha"].to_pylist() == [4.0, 4.0]
    assert json.loads(table["params"][0].as_py()) == {"weight_decay": 5e-4, "alpha": 4}
    assert table["value"].to_pylist() == [0.9, None]
    assert table["wall_s"].to_pylist() == [None, None], "what a row does not give is null"
    assert [field.name for field in table.schema][: len(SCHEMAS["trials"])] == SCHEMAS["trials"].names


def test_writing_a_part_again_replaces_it(store, trial):
    assert not store.has("trials", "a")
    store.write("trials", "a", [trial(0), trial(1)])
    store.write("trials", "a", [trial(0, value=0.5)])
    assert store.has("trials", "a")
    assert not store.has("final", "a")
    assert load(store.directory).trials()["value"].to_pylist() == [0.5]
    names = [path.name for path in (store.directory / "tables" / "trials").iterdir()]
    assert names == ["a.parquet"]


def test_a_store_opened_again_keeps_what_is_there(store, trial):
    store.write("trials", "a", [trial(0)])
    Store(store.directory, study_hash="0123").write("trials", "b", [trial(1)])
    assert len(load(store.directory).trials()) == 2


def test_anything_reads_the_files(store):
    store.write("epochs", "run", [{"epoch": 1, "val_accuracy": 0.5}])
    table = pq.read_table(store.directory / "tables" / "epochs" / "run.parquet")
    assert table["val_accuracy"].to_pylist() == [0.5]
    assert table.schema.metadata[b"tune_reg.study"] == b"0123"
    assert table.schema.metadata[b"tune_reg.schema"] == b"1"


def test_a_column_that_the_schema_lacks_is_refused(store, trial):
    with pytest.raises(KeyError, match=r"table trials has no column .*accuracy"):
        store.write("trials", "a", [{**trial(0), "accuracy": 1.0}])
    assert not store.has("trials", "a")


def test_compacted_parts_are_read_as_before(tmp_path):
    def filled(directory):
        store = Store(directory, study_hash="0" * 16)
        (directory / "study.toml").write_text("")
        for i in range(5):
            own = {"alpha": 4.0} if i % 2 else {"mode": "coupled"}
            rows = [{"trial": i, "value": 0.1 * i, "params": {"weight_decay": 1e-3, **own}}] * (i + 1)
            store.write("trials", f"part-{i}", rows)
        return store

    loose, store = filled(tmp_path / "a"), filled(tmp_path / "b")
    store.compact("trials", {"part-1", "part-3", "part-0"})
    store.compact("trials", {"part-4", "gone"})
    store.compact("trials", set())
    assert store.uncompacted_keys("trials") == {"part-2"}
    assert {path.name for path in (tmp_path / "b/tables/trials").iterdir()} == {
        "compacted-00001.parquet",
        "compacted-00002.parquet",
        "part-2.parquet",
    }
    for again in (store, Store(tmp_path / "b", study_hash="0" * 16)):
        assert again.keys("trials") == loose.keys("trials")
        for key in loose.keys("trials"):
            assert again.has("trials", key)
            for one, other in zip(again.rows("trials", key), loose.rows("trials", key), strict=True):
                assert {k: v for k, v in one.items() if v is not None} == {
                    k: v for k, v in other.items() if v is not None
                }
    one, other = (load(tmp_path / name).trials() for name in "ab")
    order = [(name, "ascending") for name in ("trial", "value")]
    assert one.sort_by(order).select(sorted(one.schema.names)) == other.sort_by(order).select(sorted(one.schema.names))


def test_a_part_that_was_compacted_and_not_yet_removed_counts_once(tmp_path):
    store = Store(tmp_path, study_hash="0" * 16)
    (tmp_path / "study.toml").write_text("")
    for key in "ab":
        store.write("trials", key, [{"trial": 1, "params": {}}])
    left = tmp_path / "tables/trials/a.parquet"
    data = left.read_bytes()
    store.compact("trials", {"a", "b"})
    left.write_bytes(data)
    assert load(tmp_path).trials().num_rows == 2
    Store(tmp_path, study_hash="0" * 16)
    assert not left.exists()
    assert load(tmp_path).trials().num_rows == 2

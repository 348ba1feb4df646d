import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tune_reg.errors import StoreError
from tune_reg.store import SCHEMAS, TABLES, Results, Store, load


def trial(number, **changes):
    return {
        "study": "0123",
        "regularizer": "adadecay",
        "fraction": 1.0,
        "trial": number,
        "params": {"weight_decay": 5e-4, "alpha": 4},
        "state": "complete",
        "value": 0.9,
        **changes,
    }


@pytest.fixture
def store(tmp_path):
    (tmp_path / "study.toml").write_text('name = "x"\n')
    (tmp_path / "provenance.json").write_text('{"command": "tune-reg run"}')
    return Store(tmp_path, study_hash="0123")


def test_an_empty_store_has_its_tables_and_columns(store):
    results = load(store.directory)
    for table in TABLES:
        assert getattr(results, table)().schema.equals(SCHEMAS[table])
        assert len(getattr(results, table)()) == 0


def test_rows_come_back_with_params_as_text_and_as_columns(store):
    store.write("trials", "a", [trial(0), trial(1, value=None, state="diverged")])
    table = load(store.directory).trials()
    assert table.schema.field("param_alpha").type == pa.float64()
    assert table["param_alpha"].to_pylist() == [4.0, 4.0]
    assert json.loads(table["params"][0].as_py()) == {"weight_decay": 5e-4, "alpha": 4}
    assert table["value"].to_pylist() == [0.9, None]
    assert table["wall_s"].to_pylist() == [None, None], "what a row does not give is null"
    assert [field.name for field in table.schema][: len(SCHEMAS["trials"])] == SCHEMAS["trials"].names


def test_parts_of_different_parameters_read_as_one_table(store):
    store.write("trials", "a", [trial(0)])
    store.write("trials", "b", [trial(1, params={"b": 0.5, "annealing": "laplace"})])
    store.write("trials", "c", [trial(2, params={"b": 1, "annealing": "logistic"})])
    table = load(store.directory).trials()
    assert table["param_b"].to_pylist() == [None, 0.5, 1.0]
    assert table["param_annealing"].to_pylist() == [None, "laplace", "logistic"]
    assert table["param_alpha"].to_pylist() == [4.0, None, None]
    assert table["trial"].to_pylist() == [0, 1, 2], "in the order of their keys"


def test_writing_a_part_again_replaces_it(store):
    assert not store.has("trials", "a")
    store.write("trials", "a", [trial(0), trial(1)])
    store.write("trials", "a", [trial(0, value=0.5)])
    assert store.has("trials", "a")
    assert not store.has("final", "a")
    assert load(store.directory).trials()["value"].to_pylist() == [0.5]
    names = [path.name for path in (store.directory / "tables" / "trials").iterdir()]
    assert names == ["a.parquet"]


def test_a_store_opened_again_keeps_what_is_there(store):
    store.write("trials", "a", [trial(0)])
    Store(store.directory, study_hash="0123").write("trials", "b", [trial(1)])
    assert len(load(store.directory).trials()) == 2


def test_anything_reads_the_files(store):
    store.write("epochs", "run", [{"epoch": 1, "val_accuracy": 0.5}])
    table = pq.read_table(store.directory / "tables" / "epochs" / "run.parquet")
    assert table["val_accuracy"].to_pylist() == [0.5]
    assert table.schema.metadata[b"tune_reg.study"] == b"0123"
    assert table.schema.metadata[b"tune_reg.schema"] == b"1"


def test_a_column_that_the_schema_lacks_is_refused(store):
    with pytest.raises(KeyError, match=r"table trials has no column .*accuracy"):
        store.write("trials", "a", [{**trial(0), "accuracy": 1.0}])
    assert not store.has("trials", "a")


def test_infinite_and_undefined_numbers_stay_what_they_are(store):
    store.write("epochs", "a", [{"epoch": 1, "train_loss": float("inf")}, {"epoch": 2, "train_loss": float("nan")}])
    first, second = load(store.directory).epochs()["train_loss"].to_pylist()
    assert first == float("inf")
    assert second != second


def test_best_is_the_complete_trial_of_highest_value_and_the_first_at_a_tie(store):
    def params(x):
        return {"params": {"weight_decay": x}}

    rows = [
        trial(4, value=0.8, **params(4)),
        trial(3, value=0.9, **params(3)),
        trial(1, value=0.9, **params(1)),
        trial(2, value=0.99, state="pruned", **params(2)),
        trial(5, value=None, state="diverged", **params(5)),
        trial(6, value=0.95, fraction=0.25, **params(6)),
        trial(7, value=0.97, regularizer="weight-decay", **params(7)),
    ]
    for i, row in enumerate(rows):
        store.write("trials", f"{i}", [row])
    results = load(store.directory)
    assert results.best("adadecay") == {"weight_decay": 1}
    assert results.best("adadecay", fraction=0.25) == {"weight_decay": 6}
    assert results.best("weight-decay") == {"weight_decay": 7}
    for missing in ({"regularizer": "residual-smoothing"}, {"regularizer": "adadecay", "fraction": 0.5}):
        with pytest.raises(StoreError, match="no complete trial"):
            results.best(**missing)


def test_best_of_all_is_of_the_largest_fraction_that_was_searched(store):
    store.write(
        "trials", "a", [trial(0, fraction=0.25, value=0.99), trial(0, fraction=0.5, value=0.1, params={"b": 1})]
    )
    assert load(store.directory).best("adadecay") == {"b": 1}


def test_study_and_provenance(store):
    results = load(str(store.directory))
    assert isinstance(results, Results)
    assert results.study() == {"name": "x"}
    assert results.provenance() == {"command": "tune-reg run"}


def test_a_directory_without_a_study_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(StoreError, match=r"holds no study: study.toml is missing") as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("harm", ["cut", "zeros", "empty"])
def test_a_broken_part_is_named(store, harm):
    store.write("final", "a", [{"seed": 1}])
    store.write("final", "b", [{"seed": 2}])
    part = store.directory / "tables" / "final" / "b.parquet"
    data = part.read_bytes()
    part.write_bytes({"cut": data[:-30], "zeros": bytes(len(data)), "empty": b""}[harm])
    with pytest.raises(StoreError, match=r"b\.parquet cannot be read as Parquet") as caught:
        load(store.directory).final()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("metadata", [{"tune_reg.schema": "2"}, None])
def test_another_version_of_the_schema_is_refused(store, metadata):
    table = pa.table({"seed": [1]}).replace_schema_metadata(metadata)
    pq.write_table(table, store.directory / "tables" / "final" / "x.parquet")
    with pytest.raises(StoreError, match=r"x\.parquet has schema version [02]; this tune-reg reads version 1"):
        load(store.directory).final()


def test_packed_parts_are_there_as_before(tmp_path):
    def filled(directory):
        store = Store(directory, study_hash="0" * 16)
        (directory / "study.toml").write_text("")
        for i in range(5):
            own = {"alpha": 4.0} if i % 2 else {"mode": "coupled"}
            rows = [{"trial": i, "value": 0.1 * i, "params": {"weight_decay": 1e-3, **own}}] * (i + 1)
            store.write("trials", f"part-{i}", rows)
        return store

    loose, store = filled(tmp_path / "a"), filled(tmp_path / "b")
    store.pack("trials", {"part-1", "part-3", "part-0"})
    store.pack("trials", {"part-4", "gone"})
    store.pack("trials", set())
    assert store.unpacked("trials") == {"part-2"}
    assert {path.name for path in (tmp_path / "b/tables/trials").iterdir()} == {
        "_pack-00001.parquet",
        "_pack-00002.parquet",
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


def test_a_part_that_was_packed_and_not_yet_removed_counts_once(tmp_path):
    store = Store(tmp_path, study_hash="0" * 16)
    (tmp_path / "study.toml").write_text("")
    for key in "ab":
        store.write("trials", key, [{"trial": 1, "params": {}}])
    left = tmp_path / "tables/trials/a.parquet"
    data = left.read_bytes()
    store.pack("trials", {"a", "b"})
    left.write_bytes(data)
    assert load(tmp_path).trials().num_rows == 2
    Store(tmp_path, study_hash="0" * 16)
    assert not left.exists()
    assert load(tmp_path).trials().num_rows == 2


def test_best_of_a_store_of_an_earlier_release(store):
    store.write("trials", "a", [trial(0, value=0.5), trial(1, value=0.75, params={"alpha": 2})])
    (part,) = (store.directory / "tables" / "trials").glob("*.parquet")
    pq.write_table(pq.read_table(part).drop_columns(["robust_accuracy", "n_val"]), part)
    assert load(store.directory).best("adadecay") == {"alpha": 2}

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from processes import start_python

from tune_reg.errors import StoreError
from tune_reg.store import SCHEMAS, TABLES, Results, load
from tune_reg.store.seal import sealed_json


def test_an_empty_store_has_its_tables_and_columns(store):
    results = load(store.directory)
    for table in TABLES:
        assert getattr(results, table)().schema.equals(SCHEMAS[table])
        assert len(getattr(results, table)()) == 0


def test_parts_of_different_parameters_read_as_one_table(store, trial):
    store.write("trials", "a", [trial(0)])
    store.write("trials", "b", [trial(1, params={"b": 0.5, "annealing": "laplace"})])
    store.write("trials", "c", [trial(2, params={"b": 1, "annealing": "logistic"})])
    table = load(store.directory).trials()
    assert table["param_b"].to_pylist() == [None, 0.5, 1.0]
    assert table["param_annealing"].to_pylist() == [None, "laplace", "logistic"]
    assert table["param_alpha"].to_pylist() == [4.0, None, None]
    assert table["trial"].to_pylist() == [0, 1, 2], "in the order of their keys"


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


def test_infinite_and_undefined_numbers_stay_what_they_are(store):
    store.write("epochs", "a", [{"epoch": 1, "train_loss": float("inf")}, {"epoch": 2, "train_loss": float("nan")}])
    first, second = load(store.directory).epochs()["train_loss"].to_pylist()
    assert first == float("inf")
    assert second != second


COUNT_THREADS = """
import os, sys
from pathlib import Path
from tune_reg.store.parts import read_part

path = Path(sys.argv[1])
before = set(os.listdir("/proc/self/task"))
assert read_part(path).num_rows == 1
print(len(set(os.listdir("/proc/self/task")) - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc, which Linux has")
def test_no_thread_of_arrow_outlives_the_reading_of_a_part(store, trial):
    """Such a thread aborts the process when it releases the file's bytes while Python ends."""
    store.write("trials", "a", [trial(0)])
    (path,) = (store.directory / "tables" / "trials").glob("*.parquet")
    output, _ = start_python("-c", COUNT_THREADS, path).communicate(timeout=60)
    assert output == "0\n"


def test_a_provenance_that_was_changed_is_refused_and_one_that_a_program_wrote_anew_is_read(store):
    """Another program need not know of the digest, which it copies with the rest, as in ``json.dumps(values)``."""
    path = store.directory / "provenance.json"
    path.write_text(sealed_json({"command": "tune-reg run", "regularizers": ["l1"]}))
    changed = path.read_text().replace("l1", "l2")
    path.write_text(changed)
    with pytest.raises(StoreError, match="as its digest sha256 says; where you changed it yourself, remove that line"):
        load(store.directory).provenance()
    path.write_text(json.dumps(json.loads(changed)))
    assert load(store.directory).provenance() == {"command": "tune-reg run", "regularizers": ["l2"]}
    path.write_text("\n".join(line for line in changed.splitlines() if "sha256" not in line).replace("],\n}", "]\n}"))
    assert load(store.directory).provenance() == {"command": "tune-reg run", "regularizers": ["l2"]}

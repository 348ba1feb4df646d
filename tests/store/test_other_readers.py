"""The folder of a table is read as it is, by whatever reads Parquet."""

import shutil
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from digits import digits_study
from made_up import finish_all

from tune_reg.execution.controller import StudyController
from tune_reg.store import TABLES, Results
from tune_reg.study import Study, make_plan

WRITTEN = Path(__file__).parents[1] / "written_by_0_1"


def _with_arrow(folder):
    return pyarrow.dataset.dataset(folder).to_table().to_pydict()


def _with_pandas(folder):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.read_parquet(folder).to_dict("list")


def _with_polars(folder):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    return polars.read_parquet(folder / "*.parquet").to_dict(as_series=False)


def _with_duckdb(folder):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    return duckdb.read_parquet(str(folder / "*.parquet")).to_arrow_table().to_pydict()


READERS = [_with_arrow, _with_pandas, _with_polars, _with_duckdb]


def study_of(**settings):
    return digits_study(regularizers=["weight-decay", "residual-smoothing"], **settings)


def _running(directory):
    finish_all(StudyController(make_plan(study_of(search={"trials": 25})), directory), limit=55)


def _killed(directory):
    controller = StudyController(make_plan(study_of()), directory)
    finish_all(controller, limit=7)
    controller.next_run()
    (directory / "tables" / "final" / ".weight-decay.parquet.77.tmp").write_bytes(b"PAR1")


def _finished(directory):
    finish_all(StudyController(make_plan(study_of()), directory))


def _grown(directory):
    finish_all(StudyController(make_plan(digits_study()), directory))
    StudyController(make_plan(study_of()), directory)


def _finished_0_1(directory):
    shutil.copytree(WRITTEN / "finished", directory, dirs_exist_ok=True)
    StudyController(make_plan(Study(**Results(directory).study())), directory)


def _interrupted_0_1(directory):
    shutil.copytree(WRITTEN / "interrupted", directory, dirs_exist_ok=True)
    StudyController(make_plan(Study(**Results(directory).study())), directory)


@pytest.fixture(scope="module", params=[_running, _killed, _finished, _grown, _finished_0_1, _interrupted_0_1])
def directory(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param.__name__)
    request.param(directory)
    return directory


@pytest.mark.parametrize("read", READERS)
def test_the_folder_of_a_table_has_all_rows_and_columns(directory, read):
    for table in TABLES:
        expected = getattr(Results(directory), table)()
        if not expected.num_rows:
            continue  # no run of this kind has ended
        columns = read(directory / "tables" / table)
        assert set(columns) == set(expected.column_names)
        assert {len(values) for values in columns.values()} == {expected.num_rows}


def test_all_parts_of_a_table_have_one_schema_and_no_name_is_hidden(directory):
    for table in TABLES:
        parts = [path for path in (directory / "tables" / table).iterdir() if path.suffix == ".parquet"]
        schemas = [pq.read_schema(part) for part in parts]
        assert all(schema.equals(schemas[0]) for schema in schemas)
        assert not [part.name for part in parts if part.name.startswith(("_", "."))]


def test_the_columns_are_known_before_the_first_row(tmp_path):
    """One part, of the method without the other's hyperparameters, has the columns of both."""
    finish_all(StudyController(make_plan(study_of()), tmp_path), limit=1)
    (part,) = (tmp_path / "tables" / "trials").glob("*.parquet")
    names = {name for name in pq.read_schema(part).names if name.startswith("param_")}
    assert names > {"param_weight_decay", "param_b", "param_annealing"}
    assert pq.read_schema(part).field("param_annealing").type == "string"


@pytest.mark.parametrize("name", ["finished", "interrupted"])
def test_what_0_1_wrote_has_the_same_rows_in_its_new_files(tmp_path, name):
    shutil.copytree(WRITTEN / name, tmp_path, dirs_exist_ok=True)
    before = {table: getattr(Results(tmp_path), table)() for table in TABLES}
    StudyController(make_plan(Study(**Results(tmp_path).study())), tmp_path)
    for table, rows in before.items():
        after = getattr(Results(tmp_path), table)()
        names = sorted(rows.column_names)
        assert sorted(map(repr, after.select(names).to_pylist())) == sorted(map(repr, rows.select(names).to_pylist()))
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "tables").rglob("*.parquet")}
    StudyController(make_plan(Study(**Results(tmp_path).study())), tmp_path)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "tables").rglob("*.parquet")}


def test_a_space_that_returns_a_new_name_later_gives_every_part_its_column(store, trial):
    store.write("trials", "a", [trial(0, params={"b": 1})])
    store.compact("trials", {"a"})
    store.write("trials", "b", [trial(1, params={"b": "wide", "mode": True})])
    store.write("trials", "c", [trial(2, params={"b": 0.5})])
    table = pq.read_table(store.directory / "tables" / "trials")
    rows = {row["trial"]: (row["param_b"], row["param_mode"]) for row in table.to_pylist()}
    assert rows == {0: ("1", None), 1: ("wide", "true"), 2: ("0.5", None)}

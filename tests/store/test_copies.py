"""Copies, strangers and hidden files in the folder of a table: left out by name, or refused by name, never counted."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tune_reg.errors import StoreError
from tune_reg.store import Store, load

FINISHED = Path(__file__).parents[1] / "written_by_0_1" / "finished"
COPIES = [
    "{}.sync-conflict-20260101-101010-ABCDEFG",
    "{} (1)",
    "{} 2",
    "Copy of {}",
    "{} (conflicted copy 2026-01-01)",
]


@pytest.fixture
def filled(store, trial):
    """Four trials, of which two are compacted, of which one did not end with numbers."""
    for number in range(4):
        store.write("trials", f"adadecay-{number}", [trial(number, value=float("nan") if number == 3 else 0.5)])
    store.compact("trials", {"adadecay-0", "adadecay-1"})
    return store


@pytest.fixture
def folder(filled):
    return filled.directory / "tables" / "trials"


def numbers(directory):
    return sorted(load(directory).trials()["trial"].to_pylist())


def refusal(directory):
    """The one line with which the tables are refused: to whoever reads them, and to whoever goes on."""
    with pytest.raises(StoreError) as caught:
        load(directory).trials()
    with pytest.raises(StoreError) as again:
        Store(directory, study_hash="0123")
    assert str(caught.value) == str(again.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("stem", ["adadecay-2", "adadecay-3", "compacted-00001"])
def test_a_copy_is_left_out_by_name_and_is_no_part(filled, folder, stem, name):
    copy = folder / f"{name.format(stem)}.parquet"
    shutil.copy(folder / f"{stem}.parquet", copy)
    results = load(filled.directory)
    assert numbers(filled.directory) == [0, 1, 2, 3]
    assert results.left_out() == (f"tables/trials/{copy.name} is a copy of {stem}.parquet, and is not counted.",)
    again = Store(filled.directory, study_hash="0123")
    assert again.keys("trials") == {f"adadecay-{number}" for number in range(4)}
    again.compact("trials", again.uncompacted_keys("trials"))
    assert copy.exists(), "what others made is theirs to remove"
    assert numbers(filled.directory) == [0, 1, 2, 3]


def test_nothing_is_left_out_of_a_clean_directory(filled):
    assert load(filled.directory).left_out() == ()


def test_a_hidden_file_is_left_out(filled, folder):
    (folder / "._adadecay-2.parquet").write_bytes(b"\0\5\26\7, as macOS writes them")
    (folder / ".adadecay-9.parquet.77.tmp").write_bytes(b"PAR1")
    assert numbers(filled.directory) == [0, 1, 2, 3]
    (sentence,) = load(filled.directory).left_out()
    assert sentence.startswith("tables/trials/._adadecay-2.parquet is a hidden file")


def test_a_part_that_was_compacted_and_is_there_again_is_left_out(filled, folder, trial):
    other = Store(filled.directory.parent / "other", study_hash="0123")
    other.write("trials", "adadecay-0", [trial(0, value=0.5)])
    shutil.copy(other.directory / "tables/trials/adadecay-0.parquet", folder)
    assert numbers(filled.directory) == [0, 1, 2, 3]
    assert "adadecay-0.parquet is a copy of what compacted-00001.parquet holds" in load(filled.directory).left_out()[0]


def test_a_copy_with_other_numbers_is_refused(filled, folder, trial):
    copy = folder / "adadecay-2 (1).parquet"
    shutil.move(folder / "adadecay-2.parquet", copy)
    filled.write("trials", "adadecay-2", [trial(2, value=0.25)])
    message = refusal(filled.directory)
    assert f"{copy} holds the run adadecay-2 with other numbers than adadecay-2.parquet; move one" in message


def test_a_compacted_part_that_is_there_again_with_other_numbers_is_refused(filled, folder, trial):
    other = Store(filled.directory.parent / "other", study_hash="0123")
    other.write("trials", "adadecay-0", [trial(0, value=0.125)])
    shutil.copy(other.directory / "tables/trials/adadecay-0.parquet", folder)
    assert "adadecay-0.parquet holds the run adadecay-0 with other numbers than compacted-00001.parquet" in refusal(
        filled.directory
    )


def test_a_part_under_another_name_is_refused_and_says_its_own(filled, folder):
    (folder / "adadecay-2.parquet").rename(folder / "mine.parquet")
    assert "mine.parquet holds the run adadecay-2, but not under its name; name it as adadecay-2.parquet" in refusal(
        filled.directory
    )


def test_a_part_of_another_study_is_refused(filled, folder, trial):
    (filled.directory / "provenance.json").write_text(json.dumps({"study_hash": "0123"}))
    other = Store(filled.directory.parent / "other", study_hash="beef")
    other.write("trials", "adadecay-7", [trial(7)])
    shutil.copy(other.directory / "tables/trials/adadecay-7.parquet", folder)
    message = refusal(filled.directory)
    assert "adadecay-7.parquet belongs to another study (its hash is beef)" in message
    assert "move it away" in message


def test_parts_of_the_study_that_this_one_grew_from_count(filled):
    grown = {"study_hash": "4567", "grown_from": [{"study_hash": "0123"}]}
    (filled.directory / "provenance.json").write_text(json.dumps(grown))
    assert numbers(filled.directory) == [0, 1, 2, 3]
    assert len(Store(filled.directory, study_hash="4567").keys("trials")) == 4


def test_two_parts_that_hold_the_same_run_are_refused(filled, trial):
    filled.write("trials", "b", [trial(2)])
    message = refusal(filled.directory)
    assert "b.parquet holds as b the run that is in adadecay-2.parquet" in message


def test_a_file_that_is_no_part_of_the_table_is_refused(filled, folder):
    filled.write("epochs", "adadecay-2", [{"epoch": 1}])
    shutil.copy(filled.directory / "tables/epochs/adadecay-2.parquet", folder / "x.parquet")
    assert "x.parquet does not fit table trials (its column params is missing)" in refusal(filled.directory)


def test_a_lost_compacted_file_does_not_let_the_next_one_replace_another(filled, folder):
    filled.compact("trials", {"adadecay-2"})
    (folder / "compacted-00001.parquet").unlink()
    again = Store(filled.directory, study_hash="0123")
    again.compact("trials", {"adadecay-3"})
    assert numbers(filled.directory) == [2, 3]


@pytest.mark.parametrize("counts", ['{"adadecay-0": 1}', '{"adadecay-0": "1", "adadecay-1": 1}', "[2]", "{"])
def test_a_compacted_file_whose_metadata_are_damaged_is_named(filled, folder, counts):
    path = folder / "compacted-00001.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({**rows.schema.metadata, b"tune_reg.parts": counts.encode()}), path)
    assert str(path) in refusal(filled.directory)


def test_no_part_has_a_name_that_readers_hide(store, trial):
    for key in ("_a", ".a", "compacted-00001", "_pack-00001"):
        with pytest.raises(ValueError, match="cannot be named"):
            store.write("trials", key, [trial(0)])


# Parts of release 0.1 do not carry their key: their rows tell it.


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copytree(FINISHED, tmp_path / "old"))


@pytest.mark.parametrize("table", ["trials", "epochs", "final", "robustness"])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_part_of_0_1_is_left_out(old, table, name):
    before = getattr(load(old), table)()
    for part in sorted((old / "tables" / table).glob("*.parquet"))[:2]:
        shutil.copy(part, part.with_name(f"{name.format(part.stem)}.parquet"))
    results = load(old)
    assert repr(getattr(results, table)().to_pylist()) == repr(before.to_pylist())
    assert len(results.left_out()) == 2


def test_a_part_of_0_1_under_the_name_of_another_run_is_refused(old):
    part = next((old / "tables" / "final").glob("*-seed-1.parquet"))
    part.rename(part.with_name(part.name.replace("seed-1", "seed-9")))
    with pytest.raises(StoreError, match=r"seed-9.parquet: its name is not that of the run that it holds"):
        load(old).final()


def test_a_report_reads_one_state_or_the_other_while_parts_are_compacted(filled, folder, monkeypatch):
    """Parts are compacted after the folder was listed, and before they are read."""
    from tune_reg.store import parts, table_folder

    calls = []

    def read(paths):
        if not calls:
            filled.compact("trials", {"adadecay-2", "adadecay-3"})
        calls.append(paths)
        return parts.read_present_parts(paths)

    monkeypatch.setattr(table_folder, "read_present_parts", read)
    assert numbers(filled.directory) == [0, 1, 2, 3]
    assert len(calls) > 1
    assert pq.read_table(folder).num_rows == 4


def _in_one_file(directory, table):
    """The rows of a table as another program writes them: in one file, without what the store says of its own."""
    rows = getattr(load(directory), table)()
    written = rows.replace_schema_metadata({"tune_reg.schema": "1"})
    return lambda path: pq.write_table(written, path)


def test_rows_that_a_program_wrote_into_one_file_count_once(filled, folder):
    (filled.directory / "provenance.json").write_text(json.dumps({"study_hash": "0123"}))
    write = _in_one_file(filled.directory, "trials")
    write(folder / "all.parquet")
    assert "all.parquet holds as all, run 0 the run that is in" in refusal(filled.directory)
    for path in folder.glob("*.parquet"):
        path.unlink()
    write(folder / "all.parquet")
    assert numbers(filled.directory) == [0, 1, 2, 3]


def test_robustness_in_one_file_is_refused_beside_others_as_its_rows_do_not_name_their_trial(tmp_path):
    directory = tmp_path / "study"
    shutil.copytree(FINISHED, directory)
    folder = directory / "tables" / "robustness"
    _in_one_file(directory, "robustness")(folder / "all.parquet")
    with pytest.raises(StoreError, match=r"all.parquet does not say which runs it holds, beside other files"):
        load(directory).robustness()

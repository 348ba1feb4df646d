import pytest

import analysis
from tune_reg.errors import StoreError


def refused(directory):
    with pytest.raises(StoreError) as caught:
        analysis.report(directory)
    message = str(caught.value)
    assert "\n" not in message
    assert not (directory / "report").exists()
    return message


def test_truncated_part_is_one_line(tmp_path, lab):
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline]))
    part = sorted((directory / "tables" / "final").glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:-20])
    assert part.name in refused(directory)


def test_broken_study_and_provenance_are_one_line(tmp_path, lab):
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline]))
    (directory / "provenance.json").write_text("{")
    assert "provenance.json cannot be read" in refused(directory)
    (directory / "provenance.json").unlink()
    (directory / "study.toml").write_text("name = ")
    assert "study.toml cannot be read" in refused(directory)


def test_truncated_part_moved_away_is_said_to_be_missing(tmp_path, lab):
    parts = lab.parts_of([lab.baseline], [1.0])
    directory = lab.write_study(tmp_path, parts, merge=False, study={**lab.study, "fractions": [1.0]})
    part = sorted((directory / "tables" / "final").glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:-20])
    assert part.name in refused(directory)
    part.unlink()
    assert "weight-decay on 100 % of the data: 4 of 5 confirmed runs." in analysis.report(directory).read_text()


def test_newer_store_is_refused_by_version(tmp_path, lab):
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline]))
    part = sorted((directory / "tables" / "trials").glob("*.parquet"))[0]
    import pyarrow.parquet as pq

    table = pq.read_table(part)
    metadata = {**table.schema.metadata, b"tune_reg.schema": b"99"}
    pq.write_table(table.replace_schema_metadata(metadata), part)
    message = refused(directory)
    assert part.name in message
    assert "version 99" in message


def test_parts_of_another_shape_are_one_line(tmp_path, lab):
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline]))
    wrong = pa.table({"regularizer": [0.5]}).replace_schema_metadata({"tune_reg.schema": "1"})
    pq.write_table(wrong, directory / "tables" / "trials" / "wrong.parquet")
    assert "table trials" in refused(directory)


def test_no_study_is_one_line(tmp_path):
    assert "holds no study" in refused(tmp_path)

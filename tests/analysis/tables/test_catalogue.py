import csv
import io

import pytest

from analysis.exports.csv_file import rows_csv
from analysis.tables.catalogue import TABLES


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_numbers_stand_behind_every_table(rich_data, expected_data, spec):
    table = spec.compute(expected_data if spec.name == "winners" else rich_data)
    if spec.name != "corruption-accuracy":  # one row a corruption there, one number a cell
        assert len(table.numbers) == len(table.rows)
    assert len({type(row) for row in table.numbers}) == 1
    lines = list(csv.reader(io.StringIO(rows_csv(table.numbers).decode())))
    assert len(lines) == 1 + len(table.numbers)
    assert len({len(line) for line in lines}) == 1
    # A list in a cell would be a row of numbers that has no column of its own.
    assert not any(cell.startswith("[") for line in lines for cell in line)

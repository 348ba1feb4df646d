import csv
import io
from typing import NamedTuple

import pytest

from analysis.exports.csv_file import panels_csv, rows_csv
from analysis.figures.catalogue import FIGURES


class Mean(NamedTuple):
    n: int
    mean: float


class Row(NamedTuple):
    name: str
    accuracy: Mean | None
    params: tuple
    share: float


def test_csv_keeps_every_digit_and_every_column():
    rows = [Row("a,b", None, ({"x": 0.1},), 1 / 3), Row('"', Mean(5, 0.1 + 0.2), (), 1e-300)]
    read = list(csv.DictReader(io.StringIO(rows_csv(rows).decode())))
    assert [float(row["share"]) for row in read] == [1 / 3, 1e-300]
    assert [row["name"] for row in read] == ["a,b", '"']
    assert (read[0]["accuracy_mean"], float(read[1]["accuracy_mean"])) == ("", 0.1 + 0.2)
    assert read[0]["params"] == '[{"x": 0.1}]'
    assert rows_csv([]) == b""


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_csv_holds_every_point(rich_data, figure):
    panels = figure.compute(rich_data).panels
    if not panels:
        return
    lines = list(csv.reader(io.StringIO(panels_csv(panels).decode())))
    assert len(lines) == 1 + sum(len(panel.points) for panel in panels)
    assert len({len(line) for line in lines}) == 1

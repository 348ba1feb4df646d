import csv
import io

import analysis
from analysis.exports.csv_file import rows_csv
from analysis.tables.results import result_numbers
from tune_reg.store import load


def test_text_is_in_percent(directory):
    row = analysis.result_rows(load(directory))[1]
    numbers = analysis.result_table(load(directory))[1].test_accuracy
    assert row.test_accuracy == f"{100 * numbers.mean:.2f} [{100 * numbers.low:.2f}, {100 * numbers.high:.2f}]"
    assert (row.data, row.params, row.p) == ("100 % (1,437 images)", "alpha = 6", "<0.001")


def test_text_names_what_went_wrong(directory):
    notes = [row.notes for row in analysis.result_rows(load(directory))]
    assert notes[0] == "decay on the high edge of its space"
    assert notes[3] == "no confirmed run"
    assert notes[6] == "1 run diverged; b on the high edge of its space"


def test_headings_are_those_of_the_row(directory):
    assert list(analysis.HEADINGS) == list(vars(analysis.result_rows(load(directory))[0]))


def test_csv_has_every_digit(directory):
    data = analysis.Snapshot(load(directory))
    table = analysis.result_table(data)
    lines = list(csv.DictReader(io.StringIO(rows_csv([result_numbers(data, row) for row in table]).decode())))
    assert len(lines) == len(table)
    assert float(lines[1]["test_accuracy_mean"]) == table[1].test_accuracy.mean
    assert float(lines[1]["difference_p_holm"]) == table[1].difference.p_holm
    assert lines[3]["test_accuracy_mean"] == ""

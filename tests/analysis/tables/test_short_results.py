import analysis
from analysis.exports import html, latex, markdown
from analysis.exports.rendered_table import rendered
from analysis.tables.short_results import SHORT_TABLE
from tune_reg.store import load


def short(data):
    return SHORT_TABLE.compute(data)


def test_one_row_a_method_on_the_most_data(rich_data):
    table = short(rich_data)
    rows = [row for row in analysis.result_table(rich_data) if row.fraction == row.search_fraction == 1.0]
    assert [cells[0] for cells in table.rows] == [row.regularizer for row in rows]
    assert [number.n for number in table.numbers] == [row.runs for row in rows]


def test_the_highest_mean_is_bold_and_every_tie_with_it(tmp_path, lab):
    parts = lab.parts_of([lab.baseline, "adadecay"], [1.0])
    tied = lab.changed(parts, "final", lambda row: {**row, "test_accuracy": 0.9 if row["seed"] else 0.8})
    table = short(analysis.Snapshot(load(lab.write_study(tmp_path, tied))))
    assert table.bold == {(0, 2), (1, 2)}
    made = rendered(SHORT_TABLE, table)
    assert latex.table(made).decode().count(r"\textbf{") == 2
    assert markdown.table(made).count("**") == 4
    assert sum(cell.bold for row in html.table_view(made).rows for cell in row.cells) == 2


def test_one_is_bold_where_one_is_best(rich_data):
    table = short(rich_data)
    ((row, column),) = table.bold
    means = [number.test_accuracy.mean if number.test_accuracy else -1 for number in table.numbers]
    assert (row, column) == (means.index(max(means)), 2)

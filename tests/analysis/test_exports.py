import csv
import io
import re
from typing import NamedTuple

import pytest

from analysis.exports import bibtex, latex, markdown
from analysis.exports.numbers import numbers_csv
from analysis.exports.printed import Printed, halves, numeric_columns, sort_number


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
    read = list(csv.DictReader(io.StringIO(numbers_csv(rows).decode())))
    assert [float(row["share"]) for row in read] == [1 / 3, 1e-300]
    assert [row["name"] for row in read] == ["a,b", '"']
    assert (read[0]["accuracy_mean"], float(read[1]["accuracy_mean"])) == ("", 0.1 + 0.2)
    assert read[0]["params"] == '[{"x": 0.1}]'
    assert numbers_csv([]) == b""


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("97.31 [97.01, 97.60]", 97.31),
        ("-0.50 [-1.11, +0.22]", -0.5),
        ("+1.28", 1.28),
        ("25 % (299 images), strength from 100 %", 25),
        ("1e-06", 1e-6),
        ("12.3 s", 12.3),
        ("5 min", 300),
        ("2 h 5 min", 7500),
        ("3 seeds", 3),
        ("none", None),
        ("alpha = 5", None),
        ("3-layer", None),
        ("2x", None),
        ("", None),
    ],
)
def test_what_a_cell_is_sorted_by(cell, number):
    assert sort_number(cell) == number


def test_below_a_bound_comes_before_it():
    assert sort_number("<0.001") < sort_number("0.001") < sort_number(">0.001")


def test_column_of_numbers():
    rows = (("a", "1", "none", "1 s"), ("b", "none", "none", "x"))
    assert numeric_columns(rows) == (False, True, False, False)
    assert halves("0.5 (n = 5)") == ("0.5", "(n = 5)")
    assert halves("[0, 1]") == ("[0, 1]", "")


TABLE = Printed(
    "t", "A & B", "50 %", ("Name", "Test accuracy, %"), (("a|b", "1.0 [0, 2]"), ("*", "-1.0"), ("[x]", "none")), b""
)


def test_markdown_table_has_one_line_a_row_and_no_stray_column():
    lines = markdown.table(TABLE).splitlines()
    assert lines[1] == "| :--- | ---: |"
    assert [len(re.split(r"(?<!\\)\|", line)) for line in lines] == [4] * 5
    assert lines[2] == r"| a\|b | 1.0 \[0, 2\] |"


def test_markdown_shows_what_html_and_markdown_would_take():
    assert markdown.escape("<i>*a*</i>\n# b") == r"&lt;i&gt;\*a\*&lt;/i&gt; \# b"
    assert markdown.fenced("a ``` b").startswith("````\n")


def test_latex_table_is_booktabs_with_its_names_escaped():
    text = latex.table(TABLE).decode()
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\caption{A \\& B. 50 \\%}", "\\label{tab:t}"):
        assert text.count(rule) == 1
    body = text[text.index("\\midrule") :].splitlines()[1:4]
    assert body == [
        r"a\textbar{}b & 1.0 {[}0, 2{]} \tabularnewline",
        r"{*} & $-$1.0 \tabularnewline",
        r"{[}x{]} & none \tabularnewline",
    ]
    assert "|" not in text
    assert r"\begin{tabular}{@{}lr@{}}" in text


def test_latex_wide_table_spans_both_columns():
    wide = Printed("w", "W", "", tuple("abcdefg"), (tuple("1234567"),), b"")
    assert r"\begin{table*}" in latex.table(wide).decode()


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        ("a--b", "a-{}-b"),
        ("---", "-{}-{}-"),
        ("a - 5", "a - 5"),
        ("[-5, 5]", "{[}$-$5, 5{]}"),
        ("1e-06", "1e-06"),
        ("\u03bb \u2192 \u2265", r"$\lambda$ $\rightarrow$ $\ge$"),
        ("a\x00\nb", "a b"),
    ],
)
def test_latex_escape(text, set_as):
    assert latex.escape(text) == set_as


def test_bibtex_entries_are_told_apart_and_not_repeated():
    one = "@article{b,\n  title = {{A} @ b},\n}"
    two = "@misc{a,\n}\n@misc{b,\n}"
    assert bibtex.entries([one, two, "no entry"]) == ("@misc{a,\n}", one)
    assert bibtex.keys(two) == ("a", "b")

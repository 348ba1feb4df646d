import pytest

from analysis.exports.rendered_table import numeric_columns, sort_number, split_interval


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
    assert split_interval("0.5 (n = 5)") == ("0.5", "(n = 5)")
    assert split_interval("[0, 1]") == ("[0, 1]", "")

import pytest

from search_spaces import SpaceError, choice, entry_from_plain, entry_to_plain, integer, loguniform, uniform


@pytest.mark.parametrize(
    ("entry", "plain"),
    [
        (uniform(0, 1), {"low": 0.0, "high": 1.0}),
        (loguniform(1e-6, 1e-2), {"low": 1e-6, "high": 1e-2, "log": True}),
        (integer(1, 5), {"low": 1, "high": 5, "integer": True}),
        (integer(1, 5, log=True), {"low": 1, "high": 5, "integer": True, "log": True}),
        (choice(["a", 1, 0.5, True][:3]), ["a", 1, 0.5]),
        (0.5, 0.5),
        (3, 3),
        ("row", "row"),
        (True, True),
    ],
)
def test_plain_round_trip(entry, plain):
    assert entry_to_plain(entry) == plain
    back = entry_from_plain(plain)
    assert back == entry
    assert type(back) is type(entry)
    assert entry_from_plain(entry) == entry


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"low": 0}, r"a range has the keys low, high and, if wanted, log and integer, but got \['low'\]"),
        ({"low": 0, "high": 1, "step": 2}, r"a range has the keys .*but got \['high', 'low', 'step'\]"),
        ({"low": 0, "high": 1, "log": 1}, "log must be true or false, but got 1"),
        ({"low": 0, "high": 1, "integer": "yes"}, "integer must be true or false, but got 'yes'"),
        ({"low": "0", "high": 1}, "low must be a finite number, but got low='0'"),
        ({"low": 0, "high": True}, "high must be a finite number, but got high=True"),
        ({"low": 0.5, "high": 1, "integer": True}, "low of an integer range must be a whole number, but got 0.5"),
        ({"low": 1, "high": 0}, "low <= high must hold, but got low=1.0, high=0.0"),
        (None, "a value, a list of choices or a table with low and high is wanted, but got None"),
        ([], "a choice needs at least one value"),
    ],
)
def test_bad_plain_entries_are_one_line(plain, message):
    with pytest.raises(SpaceError, match=f"^{message}") as caught:
        entry_from_plain(plain)
    assert "\n" not in str(caught.value)


def test_whole_numbers_make_a_real_range_unless_integer_is_said():
    assert entry_from_plain({"low": 0, "high": 1}) == uniform(0, 1)
    assert type(entry_from_plain({"low": 0, "high": 1}).low) is float

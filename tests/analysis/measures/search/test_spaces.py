import pytest

from analysis.measures.search.spaces import Space, edge, edges, numeric_space

LOG = Space(1e-4, 1.0, log=True, listed=False)
LINEAR = Space(0.0, 10.0, log=False, listed=False)
LISTED = Space(0.1, 0.9, log=False, listed=True)


@pytest.mark.parametrize(
    ("space", "value", "side"),
    [
        (LOG, 1.0, "high"),
        (LOG, 1e-4, "low"),
        (LOG, 1.5e-4, "low"),  # 4 % of the four decades
        (LOG, 0.01, None),
        (LOG, 0.0, "low"),
        (LINEAR, 9.6, "high"),
        (LINEAR, 9.4, None),
        (LINEAR, 0.0, "low"),
        (LISTED, 0.9, "high"),
        (LISTED, 0.85, None),
        (LISTED, 0.1, "low"),
    ],
)
def test_edge(space, value, side):
    assert edge(space, value) == side


@pytest.mark.parametrize(
    "description",
    [
        None,
        3,
        {},
        {"value": 0.1},
        {"choices": ["a", "b"]},
        {"choices": [0.1]},
        {"low": 1.0, "high": 1.0},
        {"low": "a", "high": 2},
    ],
)
def test_what_is_not_searched_over_numbers_has_no_bounds(description):
    assert numeric_space(description) is None
    assert edges({"x": 0.1}, {"x": description}) == {}


def test_grid_over_decades_is_log():
    assert numeric_space({"choices": [1e-2, 1e-5, 1e-3]}) == Space(1e-5, 1e-2, log=True, listed=True)
    assert not numeric_space({"choices": [0.0, 1e-5, 1e-2]}).log

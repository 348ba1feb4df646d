import pytest

from search_spaces import (
    SearchSpace,
    SpaceError,
    choice,
    loguniform,
    uniform,
)

SPACE = SearchSpace(
    {"decay": loguniform(1e-6, 1e-1), "alpha": uniform(-1, 8), "mode": "coupled"},
    start=[{"decay": 5e-4, "alpha": 4.0}, {"decay": 1e-5}],
)


def test_reads_as_a_mapping():
    assert list(SPACE) == ["decay", "alpha", "mode"]
    assert len(SPACE) == 3
    assert SPACE["mode"] == "coupled"
    assert SPACE.domains == {"decay": loguniform(1e-6, 1e-1), "alpha": uniform(-1, 8)}
    assert SPACE.fixed == {"mode": "coupled"}
    assert "alpha" in repr(SPACE)


def test_equality_is_by_value_and_sees_starting_points():
    same = SearchSpace(dict(SPACE), start=SPACE.start)
    assert same == SPACE
    assert hash(SPACE) == hash(same)
    assert SearchSpace(dict(SPACE)) != SPACE
    assert dict(SPACE) != SPACE


def test_what_was_given_can_change_without_the_space():
    entries, point = {"a": uniform(0, 1)}, {"a": 0.5}
    space = SearchSpace(entries, start=[point])
    entries["b"] = uniform(0, 1)
    point["a"] = 7
    assert space == SearchSpace({"a": uniform(0, 1)}, start=[{"a": 0.5}])


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"beta": 1.0}, r"a starting point gives beta, which is not searched: \['alpha', 'decay'\]"),
        ({"mode": "coupled"}, "a starting point gives mode, which is not searched"),
        ({"alpha": 9.0}, "a starting point lies outside its range: alpha=9.0, range -1 to 8"),
        ({"alpha": "4"}, "a starting point lies outside its range: alpha='4', range -1 to 8"),
    ],
)
def test_starting_points_are_checked(start, message):
    with pytest.raises(SpaceError, match=f"^{message}"):
        SearchSpace(dict(SPACE), start=[start])


def test_replace_keeps_of_the_starting_points_what_is_still_searched_and_inside():
    assert SPACE.replace({}) == SPACE
    fixed = SPACE.replace({"alpha": 2.0})
    assert fixed.fixed == {"alpha": 2.0, "mode": "coupled"}
    assert fixed.start == ({"decay": 5e-4}, {"decay": 1e-5})
    narrow = SPACE.replace({"decay": loguniform(1e-4, 1e-2)})
    assert narrow.start == ({"decay": 5e-4, "alpha": 4.0},)
    both = SPACE.replace({"decay": loguniform(1e-3, 1e-2), "alpha": choice([1.0, 4.0]), "mode": choice(["a", "b"])})
    assert both.start == ({"alpha": 4.0},)
    assert list(both) == ["decay", "alpha", "mode"]
    assert SPACE.start == ({"decay": 5e-4, "alpha": 4.0}, {"decay": 1e-5}), "the old space stays as it was"


def test_replace_does_not_start_twice_at_the_same_point():
    space = SearchSpace({"a": uniform(0, 1), "b": uniform(0, 1)}, start=[{"a": 0.5, "b": 0.1}, {"a": 0.5, "b": 0.2}])
    assert space.replace({"b": 0.3}).start == ({"a": 0.5},)

import optuna
import pytest

from search_spaces import (
    SearchSpace,
    SpaceError,
    choice,
    entry_from_plain,
    integer,
    loguniform,
    uniform,
    when,
)

SPACE = SearchSpace(
    {
        "b": when(uniform(0.1, 1.0), annealing=["laplace", "logistic"]),
        "mode": "fast",
        "annealing": choice(["laplace", "logistic", "constant"]),
        "steps": when(integer(1, 4), annealing="constant"),
        "weight_decay": loguniform(1e-4, 1e-1),
    },
    start=[{"annealing": "laplace", "b": 0.5}],
)


def asked(space, n=60, seed=0):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(n)]


def test_a_name_is_asked_for_only_where_its_condition_holds():
    for values in asked(SPACE):
        assert values["mode"] == "fast"
        assert ("b" in values) == (values["annealing"] != "constant")
        assert ("steps" in values) == (values["annealing"] == "constant")
    assert {values["annealing"] for values in asked(SPACE)} == {"laplace", "logistic", "constant"}


def test_it_comes_back_from_plain_values():
    plain = SPACE.to_plain()
    assert plain["steps"] == {"low": 1, "high": 4, "integer": True, "when": {"annealing": ["constant"]}}
    again = SearchSpace({name: entry_from_plain(entry) for name, entry in plain.items()}, start=SPACE.start)
    assert again == SPACE
    choices = entry_from_plain({"choices": [1, 2], "when": {"annealing": "constant"}})
    assert choices == when(choice([1, 2]), annealing="constant")


def test_a_fixed_value_decides_a_condition():
    constant = SPACE.replace({"annealing": "constant"})
    assert set(constant) == {"mode", "annealing", "steps", "weight_decay"}
    assert constant.conditions == {}
    assert constant.start == ()
    laplace = SPACE.replace({"annealing": "laplace"})
    assert set(laplace) == {"b", "mode", "annealing", "weight_decay"}
    assert laplace.start == ({"b": 0.5},)


def test_what_is_given_anew_loses_its_condition_and_other_names_keep_theirs():
    wider = SPACE.replace({"b": uniform(0, 2)}).extended("learning_rate", uniform(0, 1), start={"learning_rate": 0.1})
    assert set(wider.conditions) == {"steps"}
    assert wider.start == ({"annealing": "laplace", "b": 0.5, "learning_rate": 0.1},)
    assert set(SPACE.without(["annealing"]).conditions) == set()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"b": when(uniform(0, 1), annealing="x")}, "b: its condition names annealing, which is not in the space"),
        ({"a": uniform(0, 1), "b": when(uniform(0, 1), a=0.5)}, "which is a range; only choices can decide"),
        ({"a": choice([1, 2]), "b": when(uniform(0, 1), a=3)}, r"b: its condition wants a = 3, .* none of \(1, 2\)"),
        (
            {"a": when(choice([1]), b=1), "b": when(choice([1]), a=1)},
            "conditions that wait for each other: a, b",
        ),
    ],
)
def test_a_condition_that_cannot_be_met_is_one_line(entries, said):
    with pytest.raises(SpaceError, match=said):
        SearchSpace(entries)


def test_when_wants_a_domain_and_a_condition():
    with pytest.raises(SpaceError, match=r"a domain is wanted before the condition, but got 0\.5"):
        when(0.5, a=1)
    with pytest.raises(SpaceError, match="a condition is wanted"):
        when(uniform(0, 1))
    with pytest.raises(SpaceError, match="when is a table of names and values"):
        entry_from_plain({"low": 0.0, "high": 1.0, "when": "laplace"})

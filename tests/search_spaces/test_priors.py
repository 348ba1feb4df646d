"""What is known of a hyperparameter beforehand stays with it, through everything that makes a space of another one."""

import math

import pytest

from search_spaces import Prior, SearchSpace, SpaceError, choice, integer, loguniform, uniform, when

DECAY, ALPHA, B = Prior(5e-4, 10, "a paper"), Prior(4.0, 2.0), Prior(0.5, 0.3)
SPACE = SearchSpace(
    {
        "decay": loguniform(1e-6, 1e-1),
        "alpha": uniform(-1, 8),
        "annealing": choice(["laplace", "constant"]),
        "b": when(uniform(0, 1), annealing="laplace"),
        "momentum": 0.9,
    },
    start=[{"decay": 1e-4}],
    priors={"decay": DECAY, "alpha": ALPHA, "b": B},
)
ALL = {"decay": DECAY, "alpha": ALPHA, "b": B}


def test_a_space_carries_its_priors_and_compares_by_them():
    assert SPACE.priors == ALL
    same = SearchSpace(dict(SPACE), start=SPACE.start, priors=ALL).conditioned(SPACE.conditions)
    assert same == SPACE
    assert SPACE.expecting({"alpha": Prior(3.0, 2.0)}) != SPACE


@pytest.mark.parametrize(
    "made",
    [
        SPACE.replace({}),
        SPACE.replace({"momentum": 0.5}),
        SPACE.replace({"decay": loguniform(1e-5, 1e-2)}),
        SPACE.conditioned({"alpha": {"annealing": ("laplace",)}}),
        SPACE.starting([{"alpha": 2.0}]),
        SPACE.extended("learning_rate", loguniform(1e-3, 1.0), start={"learning_rate": 0.1}),
        SPACE.without(["momentum"]),
        SPACE.without(["annealing"]),
    ],
    ids=["replace nothing", "fix another", "narrow", "condition", "start", "extend", "leave out", "leave out a choice"],
)
def test_priors_survive_whatever_is_made_of_a_space(made):
    assert made.priors == ALL


def test_a_name_that_is_no_range_any_more_has_no_prior():
    assert SPACE.replace({"alpha": 2.0}).priors == {"decay": DECAY, "b": B}
    assert SPACE.replace({"alpha": choice([1.0, 2.0])}).priors == {"decay": DECAY, "b": B}
    assert SPACE.without(["alpha", "decay"]).priors == {"b": B}
    assert SPACE.replace({"annealing": "constant"}).priors == {"decay": DECAY, "alpha": ALPHA}


def test_a_prior_says_nothing_of_a_range_of_the_other_kind():
    """Its spread is a factor in a logarithm, and else a difference."""
    assert SPACE.replace({"b": loguniform(0.01, 1)}).priors == {"decay": DECAY, "alpha": ALPHA}
    assert SPACE.replace({"alpha": loguniform(0.1, 8)}).priors == {"decay": DECAY, "b": B}
    assert SPACE.replace({"decay": uniform(0, 0.1)}).priors == {"alpha": ALPHA, "b": B}


def test_a_space_that_replaces_brings_its_own_priors():
    other = Prior(1e-2, 3)
    replacing = SearchSpace({"decay": loguniform(1e-5, 1.0)}, priors={"decay": other})
    assert SPACE.replace(replacing).priors == {**ALL, "decay": other}


def test_more_priors_are_added_or_put_in_place_of_others():
    made = SearchSpace({"k": integer(1, 64, log=True), "x": uniform(0, 1)}, priors={"x": Prior(0.5, 0.1)})
    made = made.expecting({"k": Prior(8, 2), "x": Prior(0.2, 0.1), "unknown": Prior(1, 2)})
    assert made.priors == {"k": Prior(8, 2), "x": Prior(0.2, 0.1)}
    conditional = SPACE.expecting({"b": Prior(0.1, 0.1)})
    assert (conditional.conditions, conditional.start) == (SPACE.conditions, SPACE.start)


@pytest.mark.parametrize(
    ("usual", "spread", "message"),
    [
        (math.nan, 1.0, "usual of a prior must be a finite number, but got nan"),
        ("4", 1.0, "usual of a prior must be a finite number, but got '4'"),
        (True, 1.0, "usual of a prior must be a finite number, but got True"),
        (1.0, math.inf, "spread of a prior must be a finite number, but got inf"),
        (1.0, 0.0, "spread of a prior must be > 0, but got 0.0"),
        (1.0, -2, "spread of a prior must be > 0, but got -2"),
    ],
)
def test_a_prior_is_two_numbers(usual, spread, message):
    with pytest.raises(SpaceError, match=f"^{message}$"):
        Prior(usual, spread)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Prior(0.0, 2), "decay: its prior must have usual > 0, as it is searched in its logarithm, got 0, spread 2"),
        (Prior(1e-3, 0.5), "decay: the spread of its prior is a factor, and must be > 1, but got 0.5"),
        (Prior(1e-3, 1), "decay: the spread of its prior is a factor, and must be > 1, but got 1"),
    ],
)
def test_a_prior_fits_its_range(prior, message):
    with pytest.raises(SpaceError, match=f"^{message}$"):
        SearchSpace({"decay": loguniform(1e-6, 1e-1)}, priors={"decay": prior})


def test_a_prior_reads_as_a_sentence_part():
    assert str(DECAY) == "0.0005, spread 10 (a paper)"
    assert str(ALPHA) == "4, spread 2"

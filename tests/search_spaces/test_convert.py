import random

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from ray import tune

from search_spaces import SearchSpace, SpaceError, as_space, choice, integer, loguniform, uniform

SPACE = SearchSpace(
    {
        "u": uniform(-1, 8),
        "l": loguniform(1e-6, 1e-1),
        "i": integer(1, 3),
        "j": integer(1, 64, log=True),
        "c": choice(["laplace", "logistic"]),
        "fixed": 0.5,
    }
)


def test_optuna_distributions():
    assert SPACE.to_optuna() == {
        "u": FloatDistribution(-1.0, 8.0),
        "l": FloatDistribution(1e-6, 1e-1, log=True),
        "i": IntDistribution(1, 3),
        "j": IntDistribution(1, 64, log=True),
        "c": CategoricalDistribution(["laplace", "logistic"]),
    }


def test_optuna_draws_lie_in_the_domains():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [study.ask(fixed_distributions=SPACE.to_optuna()).params for _ in range(60)]
    assert all(domain.contains(params[name]) for params in drawn for name, domain in SPACE.domains.items())
    assert {params["i"] for params in drawn} == {1, 2, 3}


def test_tune_and_back_is_the_same_space():
    assert as_space(SPACE.to_tune()) == SPACE


def test_tune_draws_lie_in_the_domains_and_reach_the_upper_end_of_integers():
    random.seed(0)
    domains = SPACE.to_tune()
    assert domains["fixed"] == 0.5
    for name, domain in SPACE.domains.items():
        drawn = [domains[name].sample() for _ in range(300)]
        assert all(domain.contains(value.item() if hasattr(value, "item") else value) for value in drawn)
    assert {int(domains["i"].sample()) for _ in range(300)} == {1, 2, 3}
    two = SearchSpace({"k": integer(1, 2, log=True)}).to_tune()["k"]
    assert {int(two.sample()) for _ in range(300)} == {1, 2}


def test_a_plain_dict_of_tune_domains_is_a_space():
    given = {
        "a": tune.uniform(0, 1),
        "b": tune.loguniform(1e-5, 1e-1),
        "c": tune.choice([1, 2, 4]),
        "d": tune.randint(1, 4),
        "e": tune.lograndint(1, 9),
        "f": 0.1,
        "g": {"low": 0, "high": 2},
    }
    assert as_space(given) == SearchSpace(
        {
            "a": uniform(0, 1),
            "b": loguniform(1e-5, 1e-1),
            "c": choice([1, 2, 4]),
            "d": integer(1, 3),
            "e": integer(1, 8, log=True),
            "f": 0.1,
            "g": uniform(0, 2),
        }
    )


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (lambda: tune.quniform(0, 1, 0.1), "Float with sampler Quantized"),
        (lambda: tune.qrandint(0, 10, 2), "Integer with sampler Quantized"),
        (lambda: tune.randn(0, 1), "Float with sampler _Normal"),
        (lambda: tune.sample_from(lambda _: 1), "Function with sampler"),
    ],
)
def test_samplers_without_a_counterpart_are_refused_by_name(domain, words):
    message = f"^x: ray.tune's {words}.* has no counterpart; use uniform, loguniform, randint, lograndint or choice$"
    with pytest.raises(SpaceError, match=message):
        as_space({"x": domain()})


def test_a_space_stays_itself():
    assert as_space(SPACE) is SPACE


@pytest.mark.parametrize("entries", [3, None, ["alpha"], "alpha"])
def test_what_is_no_mapping_is_refused(entries):
    with pytest.raises(
        SpaceError,
        match=r"^a search space is a SearchSpace, a mapping of names to domains or a function of a trial, but got",
    ):
        as_space(entries)


def test_a_bad_entry_is_named():
    with pytest.raises(SpaceError, match=r"^alpha: low <= high must hold, but got low=3.0, high=1.0$"):
        as_space({"b": 1, "alpha": {"low": 3, "high": 1}})
    with pytest.raises(SpaceError, match=r"^alpha: a range has the keys .* but got \['grid_search'\]$"):
        as_space({"alpha": tune.grid_search([1, 2])})

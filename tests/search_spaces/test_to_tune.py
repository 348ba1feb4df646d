import random

import pytest
from ray import tune

from search_spaces import SearchSpace, SpaceError, as_space, choice, integer, loguniform, uniform


def test_tune_and_back_is_the_same_space(every_domain):
    assert as_space(every_domain.to_tune()) == every_domain


def test_tune_draws_lie_in_the_domains_and_reach_the_upper_end_of_integers(every_domain):
    random.seed(0)
    domains = every_domain.to_tune()
    assert domains["fixed"] == 0.5
    for name, domain in every_domain.domains.items():
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

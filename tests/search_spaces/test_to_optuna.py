import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import SpaceError, choice, integer, uniform
from search_spaces.to_optuna import domain_from_optuna, random_trials


def test_optuna_distributions(every_domain):
    assert every_domain.to_optuna() == {
        "u": FloatDistribution(-1.0, 8.0),
        "l": FloatDistribution(1e-6, 1e-1, log=True),
        "i": IntDistribution(1, 3),
        "j": IntDistribution(1, 64, log=True),
        "c": CategoricalDistribution(["laplace", "logistic"]),
    }


def test_optuna_draws_lie_in_the_domains(every_domain):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [study.ask(fixed_distributions=every_domain.to_optuna()).params for _ in range(60)]
    assert all(domain.contains(params[name]) for params in drawn for name, domain in every_domain.domains.items())
    assert {params["i"] for params in drawn} == {1, 2, 3}


def test_distributions_and_back_are_the_same_domains(every_domain):
    back = {name: domain_from_optuna(distribution) for name, distribution in every_domain.to_optuna().items()}
    assert back == every_domain.domains


def test_a_step_is_left_out():
    assert domain_from_optuna(FloatDistribution(0.0, 1.0, step=0.25)) == uniform(0, 1)
    assert domain_from_optuna(IntDistribution(0, 10, step=5)) == integer(0, 10)
    assert domain_from_optuna(CategoricalDistribution(["a", "b"])) == choice(["a", "b"])


def test_a_distribution_without_a_counterpart_is_refused_by_name():
    class Strange(optuna.distributions.BaseDistribution):
        def to_internal_repr(self, param_value_in_external_repr):
            return 0.0

        def single(self):
            return True

        def _contains(self, param_value_in_internal_repr):
            return True

    with pytest.raises(SpaceError, match=r"^Optuna's Strange has no counterpart; use suggest_float, _int or _categ"):
        domain_from_optuna(Strange())


def test_random_trials_repeat():
    one, other = ([trial.suggest_float("x", 0, 1) for trial in random_trials(5)] for _ in range(2))
    assert one == other
    assert len(set(one)) == 5

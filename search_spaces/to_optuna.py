"""Domains to Optuna's distributions and back; the only file of this package that imports Optuna.

``import search_spaces`` does not import this file: Optuna is loaded when a space is converted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError

Distribution: TypeAlias = BaseDistribution


def optuna_distribution(domain: Domain) -> Distribution:
    """The Optuna distribution of a domain.

    >>> optuna_distribution(Integer(1, 3))
    IntDistribution(high=3, log=False, low=1, step=1)
    """
    match domain:
        case Float(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Integer(low, high, log):
            return IntDistribution(low, high, log=log)
        case Choice(values):
            return CategoricalDistribution(values)


def domain_from_optuna(distribution: Distribution) -> Domain:
    """The domain of an Optuna distribution, without its step; ``SpaceError`` for a kind of distribution unknown here.

    >>> domain_from_optuna(FloatDistribution(0.0, 1.0, step=0.5))
    Float(low=0.0, high=1.0, log=False)
    """
    if isinstance(distribution, FloatDistribution):
        return Float(distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, IntDistribution):
        return Integer(distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, CategoricalDistribution):
        return Choice(tuple(distribution.choices))  # type: ignore[arg-type]  # Optuna's may also be None
    raise SpaceError(
        f"Optuna's {type(distribution).__name__} has no counterpart; use suggest_float, _int or _categorical"
    )


def random_trials(count: int) -> Iterator[optuna.Trial]:
    """``count`` trials of random search, always with the same values for the same questions."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna reports each study on the terminal
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler, storage=optuna.storages.InMemoryStorage())
    for _ in range(count):
        yield study.ask()

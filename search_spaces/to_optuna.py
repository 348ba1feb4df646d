"""Domains to Optuna's distributions and back; the only file of this package that imports Optuna.

``import search_spaces`` does not import this file: Optuna is loaded when a space is converted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value

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


#: What a function raises to have its trial ended without training.
Pruned: Final = optuna.TrialPruned


def random_trials(count: int, given: Mapping[str, Value] | None = None) -> Iterator[optuna.Trial]:
    """``count`` trials of random search, always with the same values for the same questions.

    ``given``: values of some names, which all trials answer with, whatever range is asked for.
    """
    study = _study(optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        if given is not None:
            study.enqueue_trial(dict(given))
        yield study.ask()


def trials_at_the_ends(count: int) -> Iterator[optuna.Trial]:
    """``count`` trials that answer with ends of the ranges: with all low ends, with all high ends, and with mixtures.

    A function whose ranges depend on other values asks for its widest ones there.
    """
    study = _study(_Ends(seed=0))
    for _ in range(count):
        yield study.ask()


@contextmanager
def values_outside_accepted() -> Iterator[None]:
    """Without Optuna's warning that a given value lies outside the range that is asked for: the caller looks itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Fixed parameter")
        yield


def _study(sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna reports each study on the terminal
    return optuna.create_study(sampler=sampler, storage=optuna.storages.InMemoryStorage())


class _Ends(optuna.samplers.RandomSampler):
    """Answers with ends of ranges."""

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: Distribution
    ) -> Any:
        drawn = super().sample_independent(study, trial, param_name, param_distribution)
        if not isinstance(param_distribution, FloatDistribution | IntDistribution):
            return drawn
        low, high = param_distribution.low, param_distribution.high
        if trial.number < 2:
            return (low, high)[trial.number]
        return low if drawn - low < high - drawn else high

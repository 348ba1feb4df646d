"""Between this package's domains and those of Optuna and Ray Tune, which are imported only where they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search_spaces.conditional import Conditional
from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError, Value
from search_spaces.scheduled import ScheduleSpace
from search_spaces.space import SearchSpace, entry_from_plain

if TYPE_CHECKING:
    import optuna


def optuna_distribution(domain: Domain) -> optuna.distributions.BaseDistribution:
    """The Optuna distribution of ``domain``."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match domain:
        case Float(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Integer(low, high, log):
            return IntDistribution(low, high, log=log)
        case Choice(values):
            return CategoricalDistribution(values)


def domain_of(distribution: optuna.distributions.BaseDistribution) -> Domain:
    """The domain of an Optuna distribution; a step is left out."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, FloatDistribution):
        return Float(distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, IntDistribution):
        return Integer(distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, CategoricalDistribution):
        return Choice(tuple(distribution.choices))  # type: ignore[arg-type]  # Optuna's may also be None
    raise SpaceError(
        f"Optuna's {type(distribution).__name__} has no counterpart; use suggest_float, _int or _categorical"
    )


def tune_domain(domain: Domain) -> Any:
    """The ``ray.tune`` domain of ``domain``."""
    from ray import tune

    match domain:
        case Float(low, high, log):
            return tune.loguniform(low, high) if log else tune.uniform(low, high)
        case Integer(low, high, log):  # Tune leaves the upper end out
            return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
        case Choice(values):
            return tune.choice(list(values))


def as_space(entries: object) -> SearchSpace:
    """A ``SearchSpace`` from one, from a mapping of domains, plain values or ``ray.tune`` domains, or from a function.

    The function takes an Optuna trial and returns the hyperparameters (see ``DefinedByRun``).

    >>> as_space({"alpha": [1, 2, 4], "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True}}).fixed
    {}
    """
    if isinstance(entries, SearchSpace):
        return entries
    if callable(entries):
        from search_spaces.define_by_run import DefinedByRun

        return DefinedByRun(entries)
    if not isinstance(entries, Mapping):
        rule = "a search space is a SearchSpace, a mapping of names to domains or a function of a trial"
        raise SpaceError(f"{rule}, but got {entries!r}")
    return SearchSpace({str(name): _entry(name, entry) for name, entry in entries.items()})


def _entry(name: object, entry: object) -> Domain | Value | ScheduleSpace | Conditional:
    try:
        return _from_tune(entry) if type(entry).__module__.startswith("ray.tune") else entry_from_plain(entry)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from None


def _from_tune(domain: Any) -> Domain:
    sampler = type(domain.sampler).__name__ if domain.sampler is not None else "_Uniform"
    kind = type(domain).__name__
    if kind == "Categorical" and "Uniform" in sampler:
        return Choice(tuple(domain.categories))
    if kind == "Float" and sampler in {"_Uniform", "_LogUniform"}:
        return Float(domain.lower, domain.upper, log=sampler == "_LogUniform")
    if kind == "Integer" and sampler in {"_Uniform", "_LogUniform"}:
        return Integer(domain.lower, domain.upper - 1, log=sampler == "_LogUniform")
    raise SpaceError(
        f"ray.tune's {kind} with sampler {sampler} has no counterpart; "
        "use uniform, loguniform, randint, lograndint or choice"
    )

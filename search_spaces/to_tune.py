"""Domains to Ray Tune's and back; the only file of this package that imports Ray.

``import search_spaces`` does not import this file: Ray is loaded when a space is converted.
"""

from __future__ import annotations

from typing import Any

from ray import tune

from search_spaces.domains import Choice, Domain, Float, Integer, SpaceError


def tune_domain(domain: Domain) -> Any:
    """The ``ray.tune`` domain of a domain, for ``param_space``."""
    match domain:
        case Float(low, high, log):
            return tune.loguniform(low, high) if log else tune.uniform(low, high)
        case Integer(low, high, log):  # Tune excludes the upper end
            return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
        case Choice(values):
            return tune.choice(list(values))


def domain_from_tune(domain: Any) -> Domain:
    """The domain of a ``ray.tune`` domain; ``SpaceError`` for a kind or a sampler that has no counterpart here."""
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

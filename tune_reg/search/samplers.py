"""Samplers by name, made anew for every trial.

A sampler is seeded by the number of the trial that it is made for, and keeps nothing in memory: a resumed search
asks what the uninterrupted one would have asked. CMA-ES keeps its distribution, and QMC its place in the sequence,
in the journal; the grid's place is the number of the trial.
"""

from __future__ import annotations

import warnings
from typing import Final

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, GridSampler, QMCSampler, RandomSampler, TPESampler

from search_spaces import Choice
from tune_reg.study import SamplerName, Task
from tune_reg.training.seeding import derive

#: Trials drawn at random before a model is fitted; fewer where the budget is small.
_STARTUP: Final = 10

#: Complete trials that a sampler is shown at most: an ask should take no more than a tenth of an epoch. The time of a
#: Gaussian process grows with their cube, that of TPE with their number.
LIMITS: Final[dict[SamplerName, int]] = {"gp": 100, "tpe": 500}


def build(name: SamplerName, task: Task, *, seed: int, number: int) -> BaseSampler:
    """The sampler of trial ``number`` of ``task``, in a search seeded with ``seed``.

    >>> from search_spaces import SearchSpace, uniform
    >>> task = Task("weight-decay", 1.0, SearchSpace({"weight_decay": uniform(0, 1)}), trials=8)
    >>> type(build("gp", task, seed=0, number=3)).__name__
    'GPSampler'
    """
    own = derive(seed, "sampler", task.name, number) % 2**32
    common = derive(seed, "sampler", task.name) % 2**32
    startup = max(3, min(_STARTUP, task.trials // 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "random":
                return RandomSampler(seed=own)
            case "tpe":
                return TPESampler(seed=own, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)
            case "gp":
                return GPSampler(seed=own, n_startup_trials=startup, warn_independent_sampling=False)
            case "cma-es":
                return CmaEsSampler(seed=own, n_startup_trials=startup, warn_independent_sampling=False)
            case "qmc":
                return QMCSampler(seed=common, scramble=True, warn_independent_sampling=False)
            case "grid":
                choices = {
                    key: domain.values for key, domain in task.space.domains.items() if isinstance(domain, Choice)
                }
                return GridSampler(choices, seed=common)

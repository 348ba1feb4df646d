"""Samplers by name, made anew for every trial.

"tpe-gp" is two that take turns. A Gaussian process is far ahead where the response is smooth, and lost where it is not;
a density estimate (TPE) takes cliffs and choices as they come. Each reads what the other found.

A sampler is seeded by the number of the trial that it is made for, and keeps nothing in memory: a resumed search
asks what the uninterrupted one would have asked. CMA-ES keeps its distribution, and QMC its place in the sequence,
in the journal; the grid's place is the number of the trial.
"""

from __future__ import annotations

import warnings
from typing import Final

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, GridSampler, QMCSampler, RandomSampler, TPESampler

from search_spaces import Choice, DefinedByRun
from tune_reg.study import SamplerName, SearchSettings, Task
from tune_reg.training.seeding import derive

#: Trials drawn at random before a model is fitted; fewer where the budget is small.
_STARTUP: Final = 10

#: Complete trials that a sampler is shown at most: an ask should take no more than a tenth of an epoch. The time of a
#: Gaussian process grows with their cube, that of TPE with their number. Shown 250, TPE may go back to what diverged.
LIMITS: Final[dict[SamplerName, int]] = {"gp": 100, "tpe": 500}

#: Seconds an epoch takes at least for a Gaussian process to have its turns: an ask of it takes up to a tenth of that.
#: Not measured anew in each search, which would then not repeat.
_GP_EPOCH_S: Final = 1.0


def turn(settings: SearchSettings, task: Task, number: int, epoch_s: float | None) -> SamplerName:
    """The sampler of trial ``number``: that of the settings or, of "tpe-gp", the one whose turn it is.

    TPE has all turns where an epoch takes less than a second or is not known to take longer (``epoch_s``), and where
    the space has conditions or there are two objectives, which Optuna's Gaussian process does not model together.

    >>> from search_spaces import SearchSpace, uniform
    >>> task = Task("weight-decay", 1.0, SearchSpace({"weight_decay": uniform(0, 1)}), trials=8)
    >>> [turn(SearchSettings(sampler="tpe-gp"), task, number, epoch_s=5.0) for number in (4, 5, 6)]
    ['tpe', 'gp', 'tpe']
    """
    if settings.sampler != "tpe-gp":
        return settings.sampler
    able = _flat(task) and settings.second_objective is None and epoch_s is not None and epoch_s >= _GP_EPOCH_S
    return "gp" if able and number % 2 else "tpe"


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
            case "tpe" | "tpe-gp":
                # Grouping looks at every trial; in a flat space it finds the one group that there is.
                grouped = not _flat(task)
                return TPESampler(
                    seed=own, n_startup_trials=startup, multivariate=True, group=grouped, constant_liar=True
                )
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


def _flat(task: Task) -> bool:
    """Whether every trial is asked for every hyperparameter."""
    return not isinstance(task.space, DefinedByRun) and not task.space.conditions

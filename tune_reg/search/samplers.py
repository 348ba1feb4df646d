"""Samplers by name, built anew for every trial.

A sampler is seeded by the number of the trial that it is built for, and keeps nothing in memory: a resumed search asks
what the uninterrupted one would have asked. CMA-ES keeps its distribution, and QMC its place in the sequence, in the
journal; the grid's place is the number of the trial.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, GridSampler, QMCSampler, RandomSampler, TPESampler

from search_spaces import Choice, DefinedByRun
from tune_reg.study import SearchSettings, Task
from tune_reg.study.settings import SamplerName
from tune_reg.training.seeding import derive

#: Trials drawn at random before a model is fitted; fewer where the budget is small.
_STARTUP: Final = 10

#: Seconds an epoch takes at least for a Gaussian process to have its turns: an ask of it takes up to a tenth of that.
#: A fixed number, because a search in which it were measured anew would not repeat.
_GP_EPOCH_S: Final = 1.0


class _Seeds(NamedTuple):
    """What makes a sampler repeat itself: the seed of the trial, and that of all trials of the task."""

    of_trial: int
    of_task: int


@dataclass(frozen=True)
class Sampler:
    """A way to choose configurations: its name in a study file, what it is, and where it comes from."""

    name: SamplerName
    description: str
    #: For each publication: what it is cited for, and its key in ``references.bib``.
    citations: tuple[tuple[str, str], ...]
    build: Callable[[Task, _Seeds, int], BaseSampler]
    #: Complete trials that the sampler is shown at most: an ask should take no more than a tenth of an epoch.
    limit: int | None = None
    #: When to take it, in a sentence: for the table in the documentation.
    when: str = ""


def _tpe(task: Task, seeds: _Seeds, startup: int) -> BaseSampler:
    # Grouping looks at every trial; in a flat space it finds the one group that there is.
    grouped = not _flat(task)
    return TPESampler(
        seed=seeds.of_trial, n_startup_trials=startup, multivariate=True, group=grouped, constant_liar=True
    )


def _gp(_: Task, seeds: _Seeds, startup: int) -> BaseSampler:
    return GPSampler(seed=seeds.of_trial, n_startup_trials=startup, warn_independent_sampling=False)


def _cma_es(_: Task, seeds: _Seeds, startup: int) -> BaseSampler:
    return CmaEsSampler(seed=seeds.of_trial, n_startup_trials=startup, warn_independent_sampling=False)


def _qmc(_: Task, seeds: _Seeds, __: int) -> BaseSampler:
    return QMCSampler(seed=seeds.of_task, scramble=True, warn_independent_sampling=False)


def _random(_: Task, seeds: _Seeds, __: int) -> BaseSampler:
    return RandomSampler(seed=seeds.of_trial)


def _grid(task: Task, seeds: _Seeds, _: int) -> BaseSampler:
    choices = {key: domain.values for key, domain in task.space.domains.items() if isinstance(domain, Choice)}
    return GridSampler(choices, seed=seeds.of_task)


_TPE: Final = ("TPE (the sampler)", "bergstra2011algorithms")
_GP: Final = ("Log expected improvement of a Gaussian process (the sampler)", "ament2023unexpected")

#: Every sampler by its name in a study file. The time of an ask of a Gaussian process grows with the cube of the trials
#: that it is shown, that of TPE with their number. Shown 250, TPE may go back to what diverged.
SAMPLERS: Final[dict[SamplerName, Sampler]] = {
    sampler.name: sampler
    for sampler in (
        Sampler(
            "knowledge-gradient",
            "Whatever raises the best expected value most an epoch, by a Gaussian process of final values. Where a "
            "function defines the space, or there is a second objective: TPE.",
            (("The knowledge gradient (the sampler)", "frazier2009knowledge"),),
            _tpe,
            when="By default, and with few trials of one to four hyperparameters.",
        ),
        Sampler(
            "tpe-gp",
            "TPE, and a Gaussian process that has every second turn where an epoch takes a second or more. A Gaussian "
            "process is far ahead where the response is smooth, and lost where it is not; a density estimate takes "
            "cliffs and choices as they come. Each reads what the other one measured.",
            (_TPE, _GP),
            _tpe,
            when="In place of the default where trials should end for good, and with hundreds of trials.",
        ),
        Sampler(
            "tpe",
            "A density estimate of good and of bad configurations.",
            (_TPE,),
            _tpe,
            limit=500,
            when="With many hyperparameters, choices, conditions or thousands of trials.",
        ),
        Sampler(
            "gp",
            "A Gaussian process and its expected improvement.",
            (_GP,),
            _gp,
            limit=100,
            when="With few trials over ranges, where the response is smooth.",
        ),
        Sampler(
            "cma-es",
            "An evolution strategy that adapts the covariance of its samples.",
            (("CMA-ES (the sampler)", "hansen2001completely"),),
            _cma_es,
            when="With hundreds of trials over several ranges without choices.",
        ),
        Sampler(
            "qmc",
            "A scrambled Sobol sequence, which covers the space evenly.",
            (("Sobol sequence (the sampler)", "sobol1967distribution"),),
            _qmc,
            when="To cover a space evenly, for a picture of the response.",
        ),
        Sampler(
            "random",
            "Independent draws.",
            (("Random search (the sampler)", "bergstra2012random"),),
            _random,
            when="As the plain comparison that a search has to beat.",
        ),
        Sampler(
            "grid",
            "Every combination of spaces that are choices only.",
            (),
            _grid,
            when="To repeat a table of a paper: lists of choices only.",
        ),
    )
}


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
        return "tpe" if settings.sampler == "knowledge-gradient" else settings.sampler
    able = _flat(task) and settings.second_objective is None and epoch_s is not None and epoch_s >= _GP_EPOCH_S
    return "gp" if able and number % 2 else "tpe"


def build(name: SamplerName, task: Task, *, seed: int, number: int) -> BaseSampler:
    """The sampler of trial ``number`` of ``task``, in a search seeded with ``seed``.

    >>> from search_spaces import SearchSpace, uniform
    >>> task = Task("weight-decay", 1.0, SearchSpace({"weight_decay": uniform(0, 1)}), trials=8)
    >>> type(build("gp", task, seed=0, number=3)).__name__
    'GPSampler'
    """
    seeds = _Seeds(
        of_trial=derive(seed, "sampler", task.name, number) % 2**32, of_task=derive(seed, "sampler", task.name) % 2**32
    )
    startup = max(3, min(_STARTUP, task.trials // 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return SAMPLERS[name].build(task, seeds, startup)


def _flat(task: Task) -> bool:
    """Whether every trial is asked for every hyperparameter."""
    return not isinstance(task.space, DefinedByRun) and not task.space.conditions

"""How often is a method claimed to differ from itself, searched a second time?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from _search.arms import OwnSearch, RandomSearch
from _search.problems import Array, to_unit
from _search.simulation import SimulatedTrial, picks

from _claims.made_up_study import MadeUpStudy
from _claims.table_study import TableStudy
from tune_reg.decisions import MeanTest, difference_floor, mean_test
from tune_reg.decisions.student import LEVEL
from tune_reg.search.model_search import SEEDS_IN_TURN
from tune_reg.study import SearchSettings
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.regret import Regret, regret
from tune_reg.surrogate.rungs import rungs
from tune_reg.surrogate.space_points import space_points
from tune_reg.surrogate.unit_cube import UnitCube

TRIALS: Final = 16
#: True gains, shares, that are to be claimed.
GAINS: Final = (0.005, 0.01)
SAMPLERS: Final = ("default", "pauses", "random")
#: A study of one method.
Study = MadeUpStudy | TableStudy


class Searched(NamedTuple):
    """What one search has picked."""

    unit: Array
    regret: Regret  # by the model
    true_regret: float  # a share


class Twice(NamedTuple):
    """Two searches of a study, and for each number of confirmed seeds what is claimed of them."""

    first: Searched
    second: Searched
    claims: list[list[bool]]  # of the methods, without the regret, and of each of GAINS


def measured(twice: Sequence[Twice], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """What is claimed of a method against itself, a row for each number of seeds; shares of the studies.

    ``false_claims``: with the regret of both picks in the estimate and its variance, as the report tests it;
    ``without_regret``: of the confirmed runs alone. ``gain_claimed``, ``large_gain_claimed``: where one of the two is
    truly 0.5 points better, or a whole one. ``true_regret``, ``regret``, ``regret_deviation``: means over the searches,
    in points. ``error``: root mean square of the error of the difference of two regrets in units of its standard
    deviation, which should be 1.
    """
    searches = [search for study in twice for search in (study.first, study.second)]
    errors = [_error(study.first, study.second) for study in twice]
    common = {
        "studies": len(twice),
        "true_regret": 100 * float(np.mean([search.true_regret for search in searches])),
        "regret": 100 * float(np.mean([search.regret.mean for search in searches])),
        "regret_deviation": 100 * float(np.mean([search.regret.deviation for search in searches])),
        "error": float(np.sqrt(np.mean(np.square(errors)))),
    }
    shares = np.mean([study.claims for study in twice], axis=0)
    names = ("false_claims", "without_regret", "gain_claimed", "large_gain_claimed")
    return [
        {**common, "seeds": count, **dict(zip(names, of_seeds, strict=True))}
        for count, of_seeds in zip(seeds, shares.tolist(), strict=True)
    ]


def searched_twice(study: Study, number: int, sampler: str, seeds: Sequence[int]) -> Twice:
    """Two searches of study ``number``, confirmed on each number of ``seeds``."""
    first, second = (searched(study, 2 * number + search, sampler) for search in (0, 1))
    claims = []
    for count in seeds:
        differences = study.confirmed(first.unit, 0, count) - study.confirmed(second.unit, 1, count)
        told = with_luck(differences, first, second, study.test_images)
        of_gains = [with_luck(differences + gain, first, second, study.test_images) for gain in GAINS]
        gains = [test.low is not None and test.low > 0 for test in of_gains]
        claims.append([claimed(told), claimed(settings_alone(differences, study.test_images)), *gains])
    return Twice(first, second, claims)


def settings_alone(differences: Array, test_images: int) -> MeanTest:
    """The test of paired differences of two settings."""
    return mean_test(differences.tolist(), floor=difference_floor(test_images))


def with_luck(differences: Array, first: Searched, second: Searched, test_images: int) -> MeanTest:
    """The test of paired differences of what two searches picked, with the regrets of both picks."""
    return mean_test(
        differences.tolist(),
        floor=difference_floor(test_images),
        shift=first.regret.mean - second.regret.mean,
        shift_variance=first.regret.deviation**2 + second.regret.deviation**2,
    )


def claimed(test: MeanTest) -> bool:
    """Whether a test rejects that there is no difference."""
    return test.p is not None and test.p < LEVEL


def _error(first: Searched, second: Searched) -> float:
    errors = [search.true_regret - search.regret.mean for search in (first, second)]
    return (errors[0] - errors[1]) / math.hypot(first.regret.deviation, second.regret.deviation)


def searched(study: Study, replay: int, sampler: str) -> Searched:
    """One search of 16 trainings.

    ``sampler``: "default"; "pauses", which is that with the pruner pause; or "random", which trains all to the end.
    """
    cube = UnitCube(study.space)
    density = PriorDensity(study.space, cube)
    steps = (study.epochs,) if sampler == "default" else rungs(study.epochs)
    trials = _trials(study, replay, sampler)
    trainings = []
    for trial in trials:
        values = {
            index: float(trial.values[step - 1])
            for index, step in enumerate(steps)
            if step <= trial.epoch and math.isfinite(trial.values[step - 1])
        }
        diverged = math.isnan(trial.values[trial.epoch - 1])
        params = trial.params
        trainings.append(Training(cube.features(params), density.log(params), trial.seed, values, diverged=diverged))
    model = FinalValueModel(trainings, cube.groups, len(steps))
    best = int(model.expect_trainings().mean.argmax())
    space = space_points(cube, density, near=cube.point(trials[best].params))
    unit = to_unit(study.space, trials[best].params)
    return Searched(unit, regret(model, best, space.features, space.prior), study.regret(unit) / 100)


def _trials(study: Study, replay: int, sampler: str) -> list[SimulatedTrial]:
    if sampler != "random":
        settings = SearchSettings(pruner="pause") if sampler == "pauses" else SearchSettings()
        search = OwnSearch(study, settings, replay)
        picks(study, search, replay, 1, [TRIALS * study.epochs])
        return [trial for trial in search._trials.values() if trial.epoch]
    random, trials = RandomSearch(study, replay, seed_each=True), []
    while len(trials) < TRIALS and (trial := random.ask()) is not None:
        trial.seed = trial.number % SEEDS_IN_TURN
        trial.values = study.training(to_unit(study.space, trial.params), replay, trial.number, trial.seed)
        diverged = np.flatnonzero(np.isnan(trial.values))
        trial.epoch = int(diverged[0]) + 1 if len(diverged) else study.epochs
        trials.append(trial)
    return trials

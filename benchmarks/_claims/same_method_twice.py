"""How often is a method claimed to differ from itself, searched a second time?"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from _search.arms import OwnSearch, RandomSearch
from _search.problems import Array, to_unit
from _search.simulation import SimulatedTrial, picks

from _claims.made_up_study import EPOCHS, TEST_IMAGES, MadeUpStudy
from tune_reg.decisions import MeanTest, difference_floor, mean_test
from tune_reg.decisions.student import LEVEL
from tune_reg.study import SearchSettings
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.regret import Regret, regret
from tune_reg.surrogate.rungs import rungs
from tune_reg.surrogate.space_points import space_points
from tune_reg.surrogate.unit_cube import UnitCube

TRIALS: Final = 16
#: Numbers of confirmed runs.
SEEDS: Final = (5, 10, 20)
#: A true gain, a share, that is to be claimed.
GAIN: Final = 0.005
SAMPLERS: Final = ("default", "pauses", "random")
#: Seeds that the trials of a random search take in turn.
_SEEDS_IN_TURN: Final = 3


class Searched(NamedTuple):
    """What one search has picked."""

    unit: Array
    regret: Regret  # by the model
    true_regret: float  # a share


def measure(studies: int, dims: int, images: int, sampler: str) -> list[dict[str, Any]]:
    """What is claimed of a method against itself, a row for each number of seeds; shares of the studies.

    ``false_claims``: with the regret of both picks in the estimate and its variance, as the report tests it;
    ``without_regret``: of the confirmed runs alone. ``gain_claimed``: where one of the two is truly 0.5 points better.
    ``true_regret``, ``regret``, ``regret_deviation``: means over the searches, in points. ``error``: root mean square
    of the error of the difference of two regrets in units of its standard deviation, which should be 1.
    """
    found = [_twice(number, dims, images, sampler) for number in range(studies)]
    searches = [search for pair, _ in found for search in pair]
    errors = [_error(*pair) for pair, _ in found]
    common = {
        **{"dims": dims, "images": images, "sampler": sampler, "studies": studies},
        "true_regret": 100 * float(np.mean([search.true_regret for search in searches])),
        "regret": 100 * float(np.mean([search.regret.mean for search in searches])),
        "regret_deviation": 100 * float(np.mean([search.regret.deviation for search in searches])),
        "error": float(np.sqrt(np.mean(np.square(errors)))),
    }
    shares = np.mean([claims for _, claims in found], axis=0)
    return [
        {**common, "seeds": seeds, "false_claims": false, "without_regret": without, "gain_claimed": gain}
        for seeds, (false, without, gain) in zip(SEEDS, shares.tolist(), strict=True)
    ]


def _twice(number: int, dims: int, images: int, sampler: str) -> tuple[tuple[Searched, Searched], list[list[bool]]]:
    """Two searches of a study, and for each number of seeds what would be claimed."""
    study = MadeUpStudy(number, dims=dims, images=images)
    first, second = (searched(study, 2 * number + search, sampler) for search in (0, 1))
    shift = first.regret.mean - second.regret.mean
    variance = first.regret.deviation**2 + second.regret.deviation**2
    floor = difference_floor(TEST_IMAGES)
    claims = []
    for seeds in SEEDS:
        differences = study.confirmed(first.unit, 0, seeds) - study.confirmed(second.unit, 1, seeds)
        told = mean_test(differences.tolist(), floor=floor, shift=shift, shift_variance=variance)
        alone = mean_test(differences.tolist(), floor=floor)
        better = mean_test((differences + GAIN).tolist(), floor=floor, shift=shift, shift_variance=variance)
        claims.append([_claimed(told), _claimed(alone), better.low is not None and better.low > 0])
    return (first, second), claims


def _claimed(test: MeanTest) -> bool:
    return test.p is not None and test.p < LEVEL


def _error(first: Searched, second: Searched) -> float:
    errors = [search.true_regret - search.regret.mean for search in (first, second)]
    return (errors[0] - errors[1]) / math.hypot(first.regret.deviation, second.regret.deviation)


def searched(study: MadeUpStudy, replay: int, sampler: str) -> Searched:
    """One search of 16 trainings.

    ``sampler``: "default"; "pauses", which is that with the pruner pause; or "random", which trains all to the end.
    """
    cube = UnitCube(study.space)
    density = PriorDensity(study.space, cube)
    steps = (EPOCHS,) if sampler == "default" else rungs(EPOCHS)
    trials = _trials(study, replay, sampler)
    trainings = [
        Training(
            cube.features(trial.params),
            density.log(trial.params),
            trial.seed,
            {index: float(trial.values[step - 1]) for index, step in enumerate(steps) if step <= trial.epoch},
        )
        for trial in trials
    ]
    model = FinalValueModel(trainings, cube.groups, len(steps))
    best = int(model.expect_trainings().mean.argmax())
    space = space_points(cube, density, near=cube.point(trials[best].params))
    unit = to_unit(study.space, trials[best].params)
    return Searched(unit, regret(model, best, space.features, space.prior), study.regret(unit) / 100)


def _trials(study: MadeUpStudy, replay: int, sampler: str) -> list[SimulatedTrial]:
    if sampler != "random":
        settings = SearchSettings(pruner="pause") if sampler == "pauses" else SearchSettings()
        search = OwnSearch(study, settings, replay)
        picks(study, search, replay, 1, [TRIALS * EPOCHS])
        return list(search._trials.values())
    random, trials = RandomSearch(study, replay, seed_each=True), []
    while len(trials) < TRIALS and (trial := random.ask()) is not None:
        trial.seed, trial.epoch = trial.number % _SEEDS_IN_TURN, EPOCHS
        trial.values = study.training(to_unit(study.space, trial.params), replay, trial.number, trial.seed)
        trials.append(trial)
    return trials

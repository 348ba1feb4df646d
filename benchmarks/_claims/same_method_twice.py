"""How often is a method claimed to differ from itself, searched a second time?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from _claims.made_up_study import EPOCHS, TEST_IMAGES, MadeUpStudy
from _search.arms import OwnSearch, RandomSearch
from _search.problems import Array, to_unit
from _search.simulation import Params, SimulatedTrial, picks

from tune_reg.decisions import difference_floor, mean_test
from tune_reg.study import SearchSettings
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.regret import Regret, regret
from tune_reg.surrogate.rungs import rungs
from tune_reg.surrogate.space_points import space_points
from tune_reg.surrogate.unit_cube import UnitCube

TRIALS: Final = 16
SEEDS: Final = (5, 10, 20)
#: A true gain, a share, that is to be claimed.
GAIN: Final = 0.005
#: Seeds that the trials of a random search take in turn.
_SEEDS_IN_TURN: Final = 3


class Searched(NamedTuple):
    """What one search has picked."""

    unit: Array
    regret: Regret  # by the model
    true_regret: float  # a share


def searched(study: MadeUpStudy, replay: int, sampler: str) -> Searched:
    """One search of 16 trainings. ``sampler``: "default", or "random", which trains all to the end."""
    cube = UnitCube(study.space)
    density = PriorDensity(study.space, cube)
    steps = rungs(EPOCHS)
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
    if sampler == "default":
        search = OwnSearch(study, SearchSettings(), replay)
        picks(study, search, replay, 1, [TRIALS * EPOCHS])
        return list(search._trials.values())
    random, trials = RandomSearch(study, replay, seed_each=True), []
    while len(trials) < TRIALS and (trial := random.ask()) is not None:
        trial.seed, trial.epoch = trial.number % _SEEDS_IN_TURN, EPOCHS
        trial.values = study.training(to_unit(study.space, trial.params), replay, trial.number, trial.seed)
        trials.append(trial)
    return trials

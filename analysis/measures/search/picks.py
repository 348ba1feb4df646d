"""What is known of the pick of each search: what it is expected to have, and what the search may have missed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from analysis.measures.outcomes import complete_value
from analysis.measures.search.model import (
    NOTHING_SEARCHED,
    Estimate,
    SearchModel,
    Vector,
    one_thread,
    search_models,
    stable,
    stable_digits,
)
from analysis.measures.search.response import winners
from analysis.measures.search.spaces import EDGE
from analysis.snapshot import Snapshot, finite_or_none, mapping, once
from search_spaces import Choice, Value
from tune_reg.store import TrialRow

#: A configuration can be told from the pick where it is better with a smaller probability.
_TOLD: Final = 0.05
#: Standard errors within which an accuracy is not above chance.
_ERRORS: Final = 1.96


class Region(NamedTuple):
    """The values of one hyperparameter among the configurations that cannot be told from the pick."""

    low: float | None  # ends of a range; None for choices
    high: float | None
    values: tuple[Value, ...]  # of choices; empty for a range
    whole: bool  # it is the whole space, or 95 % of its range


class Pick(NamedTuple):
    """The picked trial of one search, in the unit of the metric; accuracies are shares in [0, 1]."""

    regularizer: str
    fraction: float
    trial: int
    epochs: int  # trained in the search
    observed: float | None  # its last validation value
    expected: float | None  # by the model, at the end of a training, over seeds; None, as are all others, without one
    deviation: float | None  # standard deviation of what ``expected`` estimates
    regret: float | None  # expected, of the pick against the best configuration of the space
    regret_deviation: float | None
    runner_up: int | None  # the trial of the next best expected value; without a model of the next best seen
    margin: float | None  # how much better that value of the pick is than the runner-up's
    best_probability: float | None  # that no other trial is better
    trials: int  # that the model reads; without one those trained to the end
    ties: int  # other trials with the same observed value
    images: int | None  # validation images
    optimism: (
        float | None
    )  # how much better it was observed than is expected; None where the trial was not trained to the end
    region: Mapping[str, Region]  # by hyperparameter
    chance: bool | None  # whether it is not above the accuracy of guessing; None of another metric and unknown classes


@once
def picks(data: Snapshot) -> tuple[Pick, ...]:
    """The pick of every search of two configurations or more, by regularizer, the largest fraction first.

    The regret, the probability and the region are of joint draws of the final values of 101 configurations of a space
    of one hyperparameter, else of 320, and of the trials. A configuration cannot be told from the pick where it is
    better with a probability of 5 % at least.
    """
    models = search_models(data)
    found = []
    for name, fraction in sorted(models, key=lambda search: (data.order(search[0]), -search[1])):
        model = models[name, fraction]
        number = winners(data, name).get(fraction)
        rows = [row for row in data.trials_of(name) if row["fraction"] == fraction]
        if isinstance(model, SearchModel) and number in model.trials:
            with one_thread():
                found.append(_pick(data, model, rows, number))
        elif isinstance(model, str) and model != NOTHING_SEARCHED:
            found += _seen(data, rows, number)
    return tuple(found)


def regret_of(data: Snapshot, regularizer: str, search_fraction: float) -> tuple[float, float] | None:
    """Expected regret of the pick of one search and its standard deviation, in the unit of the metric.

    (0, 0) where one configuration alone was tried, since nothing was picked; None where the search has no model, or
    looked for something beside the metric.
    """
    if search_models(data).get((regularizer, search_fraction)) == NOTHING_SEARCHED:
        return 0.0, 0.0
    if mapping(data.study.get("search")).get("second_objective"):
        return None
    for pick in picks(data):
        if (pick.regularizer, pick.fraction) == (regularizer, search_fraction):
            if pick.regret is None or pick.regret_deviation is None:
                return None
            return pick.regret, pick.regret_deviation
    return None


def _seen(data: Snapshot, rows: list[TrialRow], number: int | None) -> list[Pick]:
    """The pick of a search without a model, by what was seen of its trials; none where the winner is not among them."""
    score = data.metric.score
    values = {row["trial"]: value for row in rows if (value := complete_value(row)) is not None}
    if number not in values:
        return []
    row = next(row for row in rows if row["trial"] == number)
    others = {trial: value for trial, value in values.items() if trial != number}
    runner_up = max(others, key=lambda trial: (score(others[trial]), -trial), default=None)
    return [
        Pick(
            *(row["regularizer"], row["fraction"], number, row["epochs_trained"], values[number]),
            *(None, None, None, None),
            runner_up,
            None if runner_up is None else score(values[number] - others[runner_up]),
            None,
            len(values),
            sum(value == values[number] for value in others.values()),
            *(row["n_val"], None, {}, None),
        )
    ]


def _pick(data: Snapshot, model: SearchModel, rows: list[TrialRow], number: int) -> Pick:
    from tune_reg.surrogate.regret import DRAWS, regret_of_draws
    from tune_reg.surrogate.space_points import space_points

    row = next(row for row in rows if row["trial"] == number)
    index = model.trials.index(number)
    trainings = model.model.trainings
    space = space_points(model.cube, model.density, near=model.cube.point(row["params"]))
    features = np.concatenate([np.stack([training.features for training in trainings]), space.features])
    prior = np.concatenate([[training.prior for training in trainings], space.prior])
    draws = model.model.draws(features, prior, DRAWS)
    regret = regret_of_draws(draws, index)
    estimates = model.estimates | _stored(data, row)
    expected = estimates[number]
    others = {trial: estimate for trial, estimate in estimates.items() if trial != number}
    score = data.metric.score
    runner_up = max(others, key=lambda trial: (score(others[trial].value), -trial), default=None)
    observed = finite_or_none(row["value"])
    images = row["n_val"]
    of_trials = draws[:, [i for i, trial in enumerate(model.trials) if trial != number]]
    at_pick = draws[:, index]
    better = (draws > at_pick[:, None]).mean(axis=0)[len(trainings) :] >= _TOLD
    return Pick(
        row["regularizer"],
        row["fraction"],
        number,
        row["epochs_trained"],
        observed,
        expected.value,
        expected.deviation,
        stable(regret.mean, model.digits),
        stable(regret.deviation, model.digits),
        runner_up,
        None if runner_up is None else score(expected.value - others[runner_up].value),
        float((at_pick >= of_trials.max(axis=1, initial=-math.inf)).mean()),
        len(estimates),
        sum(other["value"] == observed for other in rows if other["trial"] != number and observed is not None),
        images,
        None if observed is None or row["state"] != "complete" else score(observed - expected.value),
        _region(model, row["params"], space.points[better]),
        _at_chance(data, expected.value, expected.deviation, images),
    )


def _stored(data: Snapshot, row: TrialRow) -> dict[int, Estimate]:
    """What the search itself expected of its trials; empty where it has written nothing of this."""
    digits = stable_digits(data)
    return {
        each["trial"]: Estimate(stable(each["expected_value"], digits), stable(each["expected_deviation"], digits))
        for each in data.expected
        if (each["regularizer"], each["fraction"]) == (row["regularizer"], row["fraction"])
    }


def _region(model: SearchModel, pick: Mapping[str, Value], near: Vector) -> dict[str, Region]:
    """The values of each hyperparameter that is in use at the pick, among it and points [n, d] ``near`` it."""
    regions = {}
    points = np.concatenate([model.cube.point(pick)[None], near])
    used = model.cube.used(points)
    for index, (name, domain) in enumerate(model.space.domains.items()):
        if name not in pick:
            continue
        units = points[used[:, index], index]
        values = [pick[name], *(model.cube.value(index, unit) for unit in units[1:].tolist())]
        if isinstance(domain, Choice):
            chosen = tuple(value for value in domain.values if value in values)
            regions[name] = Region(None, None, chosen, len(chosen) == len(domain.values))
        else:
            numbers = [float(value) for value in values]
            regions[name] = Region(min(numbers), max(numbers), (), bool(np.ptp(units) >= 1 - EDGE))
    return regions


def _at_chance(data: Snapshot, expected: float, deviation: float, images: int | None) -> bool | None:
    classes: int | None = mapping(data.provenance.get("data")).get("classes")
    if not classes or not data.metric.is_accuracy:
        return None
    chance = 1 / classes
    of_images = 0.0 if images is None else chance * (1 - chance) / images
    return bool(expected <= chance + _ERRORS * math.sqrt(deviation**2 + of_images))

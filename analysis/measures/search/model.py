"""The model of final values of each search, made anew from the tables: what the search knew when it was over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.measures.metric import decimals
from analysis.snapshot import Snapshot, finite_or_none, mapping, once
from search_spaces import Prior, SearchSpace, SpaceError, Value, entry_from_plain
from tune_reg.store import Metric, TrialRow
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.rungs import rungs, validated
from tune_reg.surrogate.unit_cube import UnitCube

if TYPE_CHECKING:
    from tune_reg.surrogate.final_value_model import FinalValueModel, Training

Vector = NDArray[np.float64]

#: Decimals of shares that are shown.
_SHOWN_OF_SHARES: Final = 4

#: Rungs at which trainings are read that a stopping rule may have ended: the end, a third and a ninth of it.
_RUNGS: Final = 3

#: Why a search has no model.
BY_FUNCTION: Final = "its space is a function"
NOTHING_SEARCHED: Final = "one configuration only was tried"
NO_SPACE: Final = "its space is not in the results"
NO_VALUES: Final = "no trial has passed a rung"
MISFIT: Final = "its trials do not fit its space"

#: Scores of validation values by regularizer, fraction and trial; then by seed; then by epoch.
Curves = Mapping[tuple[str, float, int], Mapping[int, Mapping[int, float]]]


#: Of shares in [0, 1]: a thousandth of a point.
_DIGITS_OF_SHARES: Final = 5


def stable(value: float, digits: int = _DIGITS_OF_SHARES) -> float:
    """A number that a model gives, to a thousandth of a point: further digits may differ between processors.

    >>> stable(0.92756128687412), stable(127.61286874, 2)
    (0.92756, 127.61)
    """
    return round(float(value), digits)


def stable_digits(data: Snapshot) -> int:
    """Decimals of the values of a study's metric that a model gives, as ``stable`` takes them."""
    return decimals(data) + _DIGITS_OF_SHARES - _SHOWN_OF_SHARES


@contextmanager
def one_thread() -> Iterator[None]:
    """Do linear algebra on one thread meanwhile: its last digits differ with the number of processors."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


class Estimate(NamedTuple):
    """What a model expects of one trial: mean and standard deviation of its final value, or of the score of that."""

    value: float
    deviation: float


class SearchModel(NamedTuple):
    """What is known of the final value of every configuration of one search.

    The model itself reads and gives scores: values of the metric, with their signs turned where it is minimized.
    """

    space: SearchSpace
    cube: UnitCube
    density: PriorDensity
    model: FinalValueModel
    trials: tuple[int, ...]  # of each training of the model
    points: Vector  # of each training in the unit cube [n, d]
    metric: Metric
    digits: int  # of values, as ``stable`` takes them

    @property
    def estimates(self) -> dict[int, Estimate]:
        """What is expected of every trial that the model reads, in the metric."""
        with one_thread():
            means, deviations = self.model.values(self.model.expect_trainings())
        every = zip(self.trials, means.tolist(), deviations.tolist(), strict=True)
        return {
            trial: Estimate(stable(self.metric.value(mean), self.digits), stable(deviation, self.digits))
            for trial, mean, deviation in every
        }


@once
def search_models(data: Snapshot) -> Mapping[tuple[str, float], SearchModel | str]:
    """The model of each search, by regularizer and fraction, or why it has none.

    The search itself has the same model where it has one, made from its journal. That of a search by another sampler
    reads its trainings at their end, at a third and at a ninth of it.
    """
    searches = sorted({(row["regularizer"], row["fraction"]) for row in data.trials})
    if not searches:
        return {}
    training = mapping(data.study.get("training"))
    every = int(training.get("validate_every", 1))
    steps = _rungs(mapping(data.study.get("search")), int(training.get("epochs", 0)), every)
    curves = _curves(data, steps)
    by_search: dict[tuple[str, float], list[TrialRow]] = {search: [] for search in searches}
    for row in data.trials:
        by_search[row["regularizer"], row["fraction"]].append(row)
    with one_thread():
        return {search: _model(data, search[0], rows, steps, curves) for search, rows in by_search.items()}


def _rungs(search: Mapping[str, Any], epochs: int, every: int) -> tuple[int, ...]:
    if search.get("sampler", "knowledge-gradient") != "knowledge-gradient" or search.get("second_objective"):
        ends = [epochs // 3**i for i in range(_RUNGS)]
        return validated([end for end in ends if end > 0], epochs, every)
    if search.get("pruner") == "none":
        return (epochs,)
    return rungs(epochs, first=search.get("min_epochs"), factor=search.get("reduction_factor", 3), every=every)


def _curves(data: Snapshot, steps: tuple[int, ...]) -> Curves:
    epochs = data.search_epochs
    rows = epochs.filter(pc.is_in(epochs["epoch"], pa.array(steps, pa.int64())))
    curves: dict[tuple[str, float, int], dict[int, dict[int, float]]] = {}
    columns = (rows[name].to_pylist() for name in rows.column_names)
    for regularizer, fraction, trial, seed, epoch, value in zip(*columns, strict=True):
        if finite_or_none(value) is not None:
            curve = curves.setdefault((regularizer, fraction, trial), {}).setdefault(seed, {})
            curve[epoch] = data.metric.score(value)
    return curves


def _model(
    data: Snapshot, name: str, rows: list[TrialRow], steps: tuple[int, ...], curves: Curves
) -> SearchModel | str:
    # With scipy, which takes longer to import than all of this package.
    from tune_reg.surrogate.final_value_model import FinalValueModel
    from tune_reg.surrogate.most_informative import most_informative

    functions = mapping(mapping(data.provenance.get("digests")).get("spaces"))
    if functions.get(name) is not None or any(row["ranges"] is not None for row in rows):
        return BY_FUNCTION
    if len({str(sorted(row["params"].items())) for row in rows}) < 2:
        return NOTHING_SEARCHED
    try:
        space = _space(data.method(name))
        if not space.domains:
            return NO_SPACE
        cube = UnitCube(space)
        density = PriorDensity(space, cube, prior=mapping(data.study.get("search")).get("prior", True))
        keyed = [
            ((row["trial"], place), training)
            for row in rows
            for place, training in enumerate(_trainings(data, row, cube, density, steps, curves))
        ]
    except (SpaceError, ValueError, TypeError):
        return MISFIT
    if not any(training.values for _, training in keyed):
        return NO_VALUES
    keyed = most_informative(keyed)
    read = [training for _, training in keyed]
    model = FinalValueModel(read, cube.groups, len(steps), shares=data.metric.is_accuracy)
    trials = tuple(trial for (trial, _), _ in keyed)
    points = {row["trial"]: cube.point(row["params"]) for row in rows}
    at = np.stack([points[trial] for trial in trials])
    return SearchModel(space, cube, density, model, trials, at, data.metric, stable_digits(data))


def _space(method: Mapping[str, Any]) -> SearchSpace:
    """The space of a method, from its description in the results; empty where there is none."""
    tables = mapping(method.get("space"))
    priors = mapping(method.get("priors"))
    order = [name for name in method.get("order", ()) if name in tables]
    return SearchSpace(
        {name: _entry(mapping(tables[name])) for name in dict.fromkeys([*order, *tables])},
        priors={name: Prior(prior["usual"], prior["spread"]) for name, prior in priors.items()},
    )


def _entry(table: Mapping[str, Any]) -> Any:
    if "value" in table:
        return table["value"]
    if "choices" in table and "when" not in table:
        return entry_from_plain(list(table["choices"]))
    return entry_from_plain(table)


def _trainings(
    data: Snapshot,
    row: TrialRow,
    cube: UnitCube,
    density: PriorDensity,
    steps: tuple[int, ...],
    curves: Curves,
) -> Iterable[Training]:
    """The trainings of a trial, one a seed, in the order in which they were trained."""
    from tune_reg.surrogate.final_value_model import Training

    params: Mapping[str, Value] = row["params"]
    features, prior = cube.features(params), density.log(params)
    first = row["seed"]
    by_seed = curves.get((row["regularizer"], row["fraction"], row["trial"]), {})
    seeds = sorted({first, *by_seed}, key=lambda seed: (seed < first, seed))
    for seed in seeds:
        curve = by_seed.get(seed, {})
        values = {index: curve[step] for index, step in enumerate(steps) if step in curve} or _last(data, row, steps)
        newest = seed == seeds[-1]
        yield Training(
            features,
            prior,
            seed,
            values,
            diverged=newest and row["state"] == "diverged",
            # What failed is believed to come to what is expected of it at the first rung, as in the search.
            under_way_to=0 if newest and row["state"] == "failed" and not values else None,
        )


def _last(data: Snapshot, row: TrialRow, steps: tuple[int, ...]) -> dict[int, float]:
    """The score of the last value of a trial whose epochs are not in the tables, by the index of its rung."""
    value = finite_or_none(row["value"])
    ended = steps[-1] if row["state"] == "complete" else row["epochs_trained"]
    return {steps.index(ended): data.metric.score(value)} if value is not None and ended in steps else {}

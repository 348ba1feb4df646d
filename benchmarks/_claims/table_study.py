"""Studies of methods whose learning curves are tables of real trainings: their searches, and their confirmed runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from _search.problems import Array
from _search.tables import TableProblem, table_problems

from tune_reg.search.model_search import SEEDS_IN_TURN

#: Confirmed runs: so many seeds are left of the smallest table where a search has taken its own.
CONFIRMED: Final = 6
_TABLES: Final = Path(__file__).parent.parent / "data"
#: Tables of two methods by the names of their files, of one network trained on one draw of images for each seed.
_PAIRS: Final = (
    ("digits_dropout", "digits_double_backprop"),
    ("digits_dropout", "digits_residual_smoothing"),
    ("digits_double_backprop", "digits_residual_smoothing"),
    ("mnist50_noise", "mnist50_double_backprop"),
)


class TableStudy:
    """A problem of a table, searched on three of its seeds and confirmed on others.

    Study number n takes the first ``seeds`` of the table, by default all, in an order of its own, in all of its
    searches. The object is a problem as ``_search`` searches it.
    """

    #: Of the table with the fewest.
    test_images = 800

    def __init__(self, problem: TableProblem, number: int, *, seeds: int | None = None) -> None:
        self.problem = problem
        self.name, self.regularizer, self.metric = problem.name, problem.regularizer, problem.metric
        self.space, self.epochs = problem.space, problem.epochs
        self._order = np.random.default_rng(number).permutation(seeds or problem.seeds)

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """Validation accuracy after each epoch, NaN from where the training diverged."""
        del replay, number
        return self.problem.curve(unit, self._order[seed])

    def confirmed(self, unit: Array, arm: int, seeds: int) -> Array:
        """Test accuracy [seeds] of a configuration, the seeds being none of the search's and those of both arms."""
        del arm
        return self.problem.test_accuracies(unit)[self._order[SEEDS_IN_TURN:][:seeds]]

    def regret(self, unit: Array | None) -> float:
        """How far the mean of all seeds lies below the highest one of the table, in points."""
        return self.problem.regret(unit)

    def bias(self, unit: Array | None) -> float:
        """The picked strength minus the best one, in units of the range."""
        return self.problem.bias(unit)


def table_studies(studies: int) -> dict[str, list[TableStudy]]:
    """So many studies of each problem of each table of ``benchmarks/data``, by the problem."""
    problems = {
        f"{path.stem}, {problem.name}": problem
        for path in sorted(_TABLES.glob("*.npz"))
        for problem in table_problems(path)
    }
    return {name: [TableStudy(problem, number) for number in range(studies)] for name, problem in problems.items()}


def pairs_of_methods(studies: int) -> list[list[tuple[TableStudy, TableStudy]]]:
    """So many studies of each two methods that can be compared seed by seed, with the strength alone and both."""
    pairs = []
    for names in _PAIRS:
        for first, second in zip(*(table_problems(_TABLES / f"{name}.npz") for name in names), strict=True):
            seeds = min(first.seeds, second.seeds)
            pairs.append(
                [
                    (TableStudy(first, number, seeds=seeds), TableStudy(second, number, seeds=seeds))
                    for number in range(studies)
                ]
            )
    return pairs


def true_difference(first: TableProblem, second: TableProblem) -> tuple[float, float]:
    """Mean difference of the best settings of two problems over the seeds that both have, and its standard error."""
    seeds = min(first.seeds, second.seeds)
    of_first, of_second = (problem.test_accuracies(problem.best)[:seeds] for problem in (first, second))
    differences = of_first - of_second
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(seeds))

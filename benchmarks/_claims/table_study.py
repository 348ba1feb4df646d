"""Studies of one method whose learning curves are a table of real trainings: its searches, and its confirmed runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from _search.problems import Array
from _search.tables import TableProblem, table_problems

from tune_reg.search.model_search import SEEDS_IN_TURN

#: Confirmed runs: so many seeds are left of the smallest table where a search has taken its own.
CONFIRMED: Final = 6
_TABLES: Final = Path(__file__).parent.parent / "data"


class TableStudy:
    """A problem of a table, searched on three of its seeds and confirmed on others.

    Study number n takes the seeds of the table in an order of its own, in all of its searches. The object is a problem
    as ``_search`` searches it.
    """

    #: Of the table with the fewest.
    test_images = 800

    def __init__(self, problem: TableProblem, number: int) -> None:
        self._problem, self._number = problem, number
        self.name, self.regularizer, self.metric = problem.name, problem.regularizer, problem.metric
        self.space, self.epochs = problem.space, problem.epochs

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """Validation accuracy after each epoch, NaN from where the training diverged."""
        del replay
        return self._problem.training(unit, self._number, number, seed)

    def confirmed(self, unit: Array, arm: int, seeds: int) -> Array:
        """Test accuracy [seeds] of a configuration, the seeds being none of the search's and those of both arms."""
        del arm
        return self._problem.test_accuracies(unit, self._number)[SEEDS_IN_TURN:][:seeds]

    def regret(self, unit: Array | None) -> float:
        """How far the mean of all seeds lies below the highest one of the table, in points."""
        return self._problem.regret(unit)

    def bias(self, unit: Array | None) -> float:
        """The picked strength minus the best one, in units of the range."""
        return self._problem.bias(unit)


def table_studies(studies: int) -> dict[str, list[TableStudy]]:
    """So many studies of each problem of each table of ``benchmarks/data``, by the problem."""
    problems = {
        f"{path.stem}, {problem.name}": problem
        for path in sorted(_TABLES.glob("*.npz"))
        for problem in table_problems(path)
    }
    return {name: [TableStudy(problem, number) for number in range(studies)] for name, problem in problems.items()}

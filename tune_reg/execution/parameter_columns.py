"""Which hyperparameters the tables of a study have columns for, known from its spaces before the first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search_spaces import Choice, DefinedByRun, Domain, SearchSpace
from search_spaces.domains import Value
from tune_reg.store.rows import joined, parameters_of_values
from tune_reg.store.schema import ParameterKind
from tune_reg.study import StudyPlan


def parameter_columns(plan: StudyPlan) -> dict[str, ParameterKind]:
    """Every hyperparameter of every method of a study, and whether it is stored as a number or as text.

    A space that is a function tells what it returned when it was tried; what it returns later in addition gets its
    column then.
    """
    return joined(*(parameters_of_values(_examples(task.space)) for task in plan.tasks))


def _examples(space: SearchSpace) -> Iterator[Mapping[str, Value]]:
    """Values that hyperparameters of a space can have: one of a range, each of a choice."""
    entries: Mapping[str, Domain | Value] = space
    if isinstance(space, DefinedByRun):
        yield from space.returned
        entries = space.beside
    for name, entry in entries.items():
        if isinstance(entry, Choice):
            yield from ({name: value} for value in entry.values)
        else:
            yield {name: entry.low if isinstance(entry, Domain) else entry}

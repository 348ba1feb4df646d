"""How many images the last batches of a method have, whose batch size may be its own, and searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from search_spaces import Choice, DefinedByRun, Domain, Value
from tune_reg.study import StudyPlan, Task
from tune_reg.training import Run

_SIZE: Final = "batch_size"
_SCHEDULE: Final = "batch_size_schedule"
#: Values of a range that are looked at, at most: with a schedule on them, each has its own batch sizes in every epoch.
_MOST: Final = 100_000
_MOST_WITH_SCHEDULE: Final = 50


class LastBatches(NamedTuple):
    """The last batches of one method, over all of its batch sizes and all training sets of the study."""

    #: The key of the study file that gives the batch size.
    key: str
    #: The images of the smallest last batch; those that only some values of a range have are left out.
    smallest: int
    #: Batch sizes that leave one image for the last batch: those given, and those that are values of a range.
    sizes_with_one: Sequence[int]
    in_range_with_one: Sequence[int]


def last_batches(plan: StudyPlan, task: Task) -> LastBatches:
    """The last batches of the method of ``task``."""
    images = [plan.study.images(training_set.fraction) for training_set in plan.training_sets]
    drawn = _is_drawn(task)
    lasts: dict[int, int] = {}
    for sizes in _sizes(plan, task):
        for size in sizes:
            lasts[size] = min(n % size or size for n in images)
    key = f"regularizers.{task.regularizer}.{_SIZE}" if _of_its_own(task) else f"training.{_SIZE}"
    with_one = sorted(size for size, last in lasts.items() if last == 1)
    more = [last for last in lasts.values() if last > 1]
    if drawn and more:
        return LastBatches(key, min(more), (), with_one)
    return LastBatches(key, min(lasts.values()), with_one, ())


def any_params(task: Task, **given: Value) -> dict[str, Value]:
    """A set of hyperparameters from the space of a task: its first starting point, completed, or lowest values."""
    if isinstance(task.space, DefinedByRun):
        return dict(task.space.returned[0])
    lowest = {n: d.values[0] if isinstance(d, Choice) else d.low for n, d in task.space.domains.items()}
    start = dict(task.space.start[0]) if task.space.start else {}
    return task.space.complete({**lowest, **start, **given})


def _of_its_own(task: Task) -> bool:
    """Whether the method has a batch size of its own."""
    space = task.space
    return any(_SIZE in values for values in (space.returned if isinstance(space, DefinedByRun) else [space]))


def _is_drawn(task: Task) -> bool:
    """Whether the batch size is drawn, from a range or by a function: a few bad values are then no mistake."""
    entry = task.space.get(_SIZE)
    return isinstance(task.space, DefinedByRun) or (isinstance(entry, Domain) and not isinstance(entry, Choice))


def _sizes(plan: StudyPlan, task: Task) -> Iterator[Sequence[int]]:
    """The batch sizes of the epochs of a run, for each batch size and each schedule of it that the method may have."""
    space, training = task.space, plan.study.training
    if isinstance(space, DefinedByRun):
        yield from (_of_run(plan, task, values) for values in space.returned)
    elif _SIZE not in space and _SCHEDULE not in space:
        yield training.batch_sizes()
    elif _SCHEDULE not in space and training.batch_size_schedule == "constant":
        yield _values(space[_SIZE], _MOST)
    else:
        for schedule in _values(space.get(_SCHEDULE), _MOST_WITH_SCHEDULE):
            for size in _values(space.get(_SIZE), _MOST_WITH_SCHEDULE):
                given = {name: value for name, value in ((_SIZE, size), (_SCHEDULE, schedule)) if value is not None}
                yield _of_run(plan, task, any_params(task, **given))


def _values(entry: Domain | Value | None, most: int) -> Sequence[Any]:
    """The values that an entry of a space allows, ``most`` of them at most; one None where there is no entry."""
    if isinstance(entry, Choice):
        return entry.values
    if isinstance(entry, Domain):
        low, high = int(entry.low), int(entry.high)
        return range(low, high + 1, 1 + (high - low) // most)
    return [entry]


def _of_run(plan: StudyPlan, task: Task, values: Mapping[str, Value]) -> Sequence[int]:
    study = plan.study
    run = Run(study.dataset, study.model, task.parts or task.regularizer, values, study.training)
    return run.settings.batch_sizes()

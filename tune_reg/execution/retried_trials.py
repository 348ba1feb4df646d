"""Which failed trials are tried again when a study goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tune_reg.execution.recorder import Recorder
from tune_reg.study import Task


def retried_trials(recorder: Recorder, *, always: bool) -> Callable[[Task, int], bool]:
    """Whether the failed trial of a number is tried again: ``always``, or where the user's code has changed since."""
    changed = cache(recorder.failed_with_other_code)  # the table is read where a trial has failed, and once

    def is_retried(task: Task, number: int) -> bool:
        return always or (task.regularizer, task.fraction, task.images_per_class, number) in changed()

    return is_retried

"""Live tracking: every run of a study as a run of TensorBoard, Weights & Biases, MLflow or trackio.

The driver tells the trackers what workers report, so that workers need none of them. A fault of a tracker never harms
the study: it is told once, and the tracker is left out from then on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tune_reg.errors import StudyError
from tune_reg.execution.messages import Completed, Outcome
from tune_reg.execution.study_run import StudyRun
from tune_reg.execution.trackers import TRACKERS, RunFacts, TrackedRun
from tune_reg.storage.paths import StoragePath
from tune_reg.store import EpochValues
from tune_reg.study import Study
from tune_reg.study.settings import TrackerName

#: The numbers of an epoch that are tracked, where there are such: an epoch of 0.1 has fewer.
_COLUMNS: Final = ("learning_rate", "strength", "train_loss", "val_loss", "val_accuracy", "val_metric", "wall_s")


def refuse_missing_trackers(study: Study) -> None:
    """``StudyError`` where a tracker that the study names is not installed."""
    for name in study.tracking:
        tracker = TRACKERS[name]
        if importlib.util.find_spec(tracker.module) is None:
            raise StudyError(f"tracking: {name!r} is not installed here; pip install {tracker.package}")


class Tracking:
    """Tells the trackers of a study what becomes of its runs; without trackers it does nothing.

    A run has the same identity whenever its study goes on in the same directory, so that trackers that can do so go on
    with the same tracked run. ``note``: is told, in a line, that a tracker is left out.
    """

    def __init__(self, study: Study, directory: StoragePath, note: Callable[[str], None]) -> None:
        self._study = study.name
        self._directory = directory
        self._note = note
        self._trackers = {name: TRACKERS[name] for name in study.tracking}
        self._open: dict[tuple[TrackerName, str], TrackedRun] = {}

    def take_epoch(self, run: StudyRun, row: EpochValues) -> None:
        """Track an epoch that is new."""
        values = _numbers({name: row.get(name) for name in _COLUMNS})
        for name in list(self._trackers):
            self._try(name, self._epoch, name, run, values, row["epoch"])

    def pause(self, run: StudyRun) -> None:
        """Close what is open of a run that may go on later."""
        for name in list(self._trackers):
            tracked = self._open.pop((name, run.stored_key), None)
            if tracked is not None:
                self._try(name, tracked.pause)

    def end(self, run: StudyRun, rows: Sequence[EpochValues], outcome: Outcome) -> None:
        """Track how a run ended, with what its test gave; a run that trained nothing is not tracked."""
        if not rows:
            return
        values = _final_values(outcome)
        for name in list(self._trackers):
            self._try(name, self._end, name, run, len(rows) + 1, values, outcome.state)

    def _epoch(self, name: TrackerName, run: StudyRun, values: Mapping[str, float], epoch: int) -> None:
        self._tracked(name, run, epoch).epoch(values, epoch)

    def _end(self, name: TrackerName, run: StudyRun, after: int, values: Mapping[str, float], state: str) -> None:
        tracked = self._tracked(name, run, after)
        del self._open[name, run.stored_key]
        tracked.end(values, state)

    def _tracked(self, name: TrackerName, run: StudyRun, epoch: int) -> TrackedRun:
        key = (name, run.stored_key)
        if key not in self._open:
            place = str(self._directory.absolute())
            facts = RunFacts(
                study=self._study,
                key=run.stored_key,
                identity=hashlib.sha256(f"{place}/{run.stored_key}".encode()).hexdigest()[:16],
                params=_params(run),
                folder=place,
                first_epoch=epoch,
            )
            self._open[key] = self._trackers[name].open(facts)
        return self._open[key]

    def _try(self, name: TrackerName, action: Callable[..., None], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception as error:
            del self._trackers[name]
            self._note(f"tracking: {name} failed and is left out from now on ({type(error).__name__}: {error})")


def _params(run: StudyRun) -> dict[str, Any]:
    """What tells a run from the others of its study."""
    return {
        **run.trial.params,
        "method": run.trial.task.regularizer,
        "stage": run.stage,
        "trial": run.trial.number,
        "seed": run.run.seed,
        "training_set": run.training_set.name,
    }


def _final_values(outcome: Outcome) -> dict[str, float]:
    """The numbers that the test of a run gave."""
    if not isinstance(outcome, Completed):
        return {}
    return _numbers({"robust_accuracy": outcome.robust_accuracy, **(outcome.final or {})})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that are finite numbers.

    >>> _numbers({"a": 1, "b": None, "c": math.nan})
    {'a': 1}
    """
    return {name: value for name, value in values.items() if isinstance(value, int | float) and math.isfinite(value)}

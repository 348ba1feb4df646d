"""The journal in line with the tables: made anew from them where it was lost, damaged, or is an older one.

The tables hold the configuration and the outcome of every trial that is over. A journal that knows less than they do
would give their values to other configurations, so it is written anew: with every trial of the tables, and with what
else the journal still says. A trial that neither of them knows is asked again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from search_spaces import DefinedByRun, Value
from tune_reg.errors import StoreError
from tune_reg.search.finished_trials import EPOCH_S
from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.journal import DamagedJournalError, in_memory, open_journal
from tune_reg.search.pauses import SEED
from tune_reg.search.retries import REASON, RETRIES
from tune_reg.search.suggestion import hyperparameters
from tune_reg.search.trial import PICKED_FROM, SHARED_FROM, StoredTrial
from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.storage.remote_path import RemotePath
from tune_reg.store import ACCURACY, Metric, RunState, TrialRow, second_value
from tune_reg.study import SearchSettings, Task

#: How the journal names the ends of trials.
STATES: Final[dict[RunState, TrialState]] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
}
#: In the journal, the starting point that a trial was given; the name is Optuna's.
_START: Final = "fixed_params"

#: The rows of the table ``trials``, by the name of the task and the number of the trial.
Rows: TypeAlias = Mapping[str, Mapping[int, TrialRow]]
#: The trials of one task that are over, by their number.
Stored: TypeAlias = Mapping[int, StoredTrial]

_log = logging.getLogger(__name__)


def directions_of(settings: SearchSettings) -> list[StudyDirection]:
    """Which way the objectives of a search are better."""
    second = settings.second_objective
    if second is None:
        return [StudyDirection.MAXIMIZE]
    fewer = second.kind == "epoch_time"
    return [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE if fewer else StudyDirection.MAXIMIZE]


def journal_in_line(
    path: StoragePath,
    tasks: Sequence[Task],
    settings: SearchSettings,
    rows: Rows,
    stored: Callable[[str], Stored],
    *,
    metric: Metric = ACCURACY,
) -> BaseStorage:
    """The journal at ``path``, opened, after it was brought in line with the tables where it was not.

    ``rows``: of every task. ``stored``: the trials of a task with all that the tables know of them, which is read only
    where the journal is made anew. ``metric``: the journal holds its scores. ``StoreError`` where it cannot be
    made anew, because the tables do not tell what a space that is a function was asked.
    """
    before: JournalStorage | None = None
    was_there = path.exists()
    scored = {name: {number: _scored(row, metric) for number, row in of_task.items()} for name, of_task in rows.items()}
    try:
        before = open_journal(path)
        why = _difference(before, tasks, settings, scored) if was_there or any(rows.values()) else None
        if why is None:
            return before
        why = f"{path} {why if was_there else 'is missing'}"
    except DamagedJournalError as error:
        before = in_memory(error.lines)
        why = str(error).partition(";")[0]
    lines = _made_anew(path, before, tasks, settings, lambda name: _scored_trials(stored(name), metric))
    _move_aside(path)
    write_whole(path, b"".join(lines))
    _log.warning("tune-reg: %s; it was made anew from the tables", why)
    return open_journal(path)


def _scored(row: TrialRow, metric: Metric) -> TrialRow:
    """A row of the table of trials with the score in place of the value, as the journal has it."""
    value = row["value"]
    return row if value is None or not metric.minimized else {**row, "value": metric.score(value)}


def _scored_trials(stored: Stored, metric: Metric) -> Stored:
    """The trials of a task as the tables have them, with scores in place of values."""
    return {
        number: replace(
            trial,
            row=_scored(trial.row, metric),
            values={step: metric.score(value) for step, value in trial.values.items()},
        )
        for number, trial in stored.items()
    }


def configuration(task: Task, trial: FrozenTrial) -> dict[str, Value] | None:
    """The hyperparameters of a trial of the journal; None where the process was killed while it asked for them."""
    try:
        return hyperparameters(task, trial)
    except Exception:  # a space can be a function, which may raise anything
        return None


def _difference(storage: JournalStorage, tasks: Sequence[Task], settings: SearchSettings, rows: Rows) -> str | None:
    """What the journal says otherwise than the tables, in words; None where it is in line with them."""
    studies = {study.study_name: study for study in storage.get_all_studies()}
    for task in tasks:
        study, expected = studies.get(task.name), rows.get(task.name, {})
        if study is None:
            if expected:
                return f"knows no trial of {task.name}, of which there are {len(expected)}"
            continue
        if list(study.directions) != directions_of(settings):
            return f"has other objectives for {task.name}"
        trials = storage.get_all_trials(study._study_id, deepcopy=False)
        for number, row in expected.items():
            if number >= len(trials):
                return f"is older than the tables: it does not know trial {number} of {task.name}"
            if _differs(task, trials[number], row):
                return f"says of trial {number} of {task.name} something else than the tables"
    return None


def _differs(task: Task, trial: FrozenTrial, row: TrialRow) -> bool:
    params = configuration(task, trial)
    if params is None and not isinstance(task.space, DefinedByRun):
        return True
    if params is not None and dict(params) != dict(row["params"]):
        return True
    if not trial.state.is_finished():
        return trial.state == TrialState.WAITING
    value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
    return trial.state != STATES[row["state"]] or value != (row["value"] if row["state"] == "complete" else None)


class _Collected(BaseJournalBackend):
    """A journal in memory."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += [json.loads(json.dumps(log)) for log in logs]


def _made_anew(
    path: StoragePath,
    before: JournalStorage,
    tasks: Sequence[Task],
    settings: SearchSettings,
    stored: Callable[[str], Stored],
) -> list[bytes]:
    """The lines of a journal with the trials of the tables, and those that the journal alone still knows."""
    collected = _Collected()
    anew = JournalStorage(collected)
    old = {study.study_name: study for study in before.get_all_studies()}
    by_name = {task.name: task for task in tasks}
    for name in dict.fromkeys([*old, *by_name]):
        study_id = anew.create_new_study(directions_of(settings), name)
        trials: list[FrozenTrial] = []
        if name in old:
            trials = before.get_all_trials(old[name]._study_id, deepcopy=False)
            for attribute, value in old[name].system_attrs.items():
                anew.set_study_system_attr(study_id, attribute, value)
            for attribute, value in old[name].user_attrs.items():
                anew.set_study_user_attr(study_id, attribute, value)
        if name in by_name:
            trials = _trials_anew(path, by_name[name], trials, stored(name), settings)
        for trial in trials:
            anew.create_new_trial(study_id, template_trial=trial)
    return [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in collected.logs]


def _trials_anew(
    path: StoragePath, task: Task, known: Sequence[FrozenTrial], stored: Stored, settings: SearchSettings
) -> list[FrozenTrial]:
    trials = []
    for number in range(max([len(known), *(number + 1 for number in stored)])):
        if number in stored:
            attributes = known[number].system_attrs if number < len(known) else {}
            trials.append(_from_tables(path, task, stored[number], attributes, settings))
        elif number < len(known):
            trials.append(known[number])
        else:
            trials.append(optuna.trial.create_trial(state=TrialState.RUNNING))  # it is asked again
    if settings.sampler != "grid":
        _give_starting_points(task, trials)
    return trials


def _give_starting_points(task: Task, trials: Sequence[FrozenTrial]) -> None:
    """Say of each starting point which trial had it, so that none is tried twice."""
    without = [trial for trial in trials if _START not in trial.system_attrs]
    given = [trial.system_attrs[_START] for trial in trials if _START in trial.system_attrs]
    for values in task.space.start[: task.trials]:
        if values in given:
            continue
        same = [trial for trial in without if trial.params and dict(values).items() <= trial.params.items()]
        unknown = [trial for trial in without if not trial.params]
        for trial in (same or unknown)[:1]:
            trial.system_attrs = {**trial.system_attrs, _START: dict(values)}
            without.remove(trial)


def _from_tables(
    path: StoragePath, task: Task, stored: StoredTrial, attributes: Mapping[str, Any], settings: SearchSettings
) -> FrozenTrial:
    row = stored.row
    asked = FixedTrial(dict(row["params"]))
    try:
        told = task.space.suggest(asked)
        state = STATES[row["state"]]
        user: dict[str, Any] = {SEED: stored.seed}
        user |= {EPOCH_S: stored.epoch_s} if stored.epoch_s is not None else {}
        user |= {REASON: f"{row['state']}: {row['reason']}"} if row["reason"] is not None else {}
        user |= {DIVERGED: True} if row["state"] == "diverged" else {}
        user |= {RETRIES: row["retries"]} if row["retries"] is not None else {}
        user |= {SHARED_FROM: row["shared_from"]} if row["shared_from"] is not None else {}
        user |= {PICKED_FROM: row["picked_from"]} if row["picked_from"] is not None else {}
        trial = optuna.trial.create_trial(
            state=state,
            values=_values(row, stored.values, settings),
            params=asked.params,
            distributions=asked.distributions,
            user_attrs=user,
            system_attrs=dict(attributes),
            intermediate_values=stored.values,
        )
    except Exception:  # a space can be a function, which may raise anything
        told, trial = {}, None
    if trial is None or dict(told) != dict(row["params"]):
        raise StoreError(
            f"{path} does not fit the tables, and these do not tell what the space of {task.name} was asked in trial "
            f"{row['trial']}; bring {path.name} back from a copy, or choose another directory"
        )
    return trial


def _values(row: TrialRow, reported: Mapping[int, float], settings: SearchSettings) -> list[float] | None:
    """The values with which Optuna ends a trial; a stopped one has its last report."""
    second = settings.second_objective
    if row["state"] == "pruned" and second is None and reported:
        return [reported[max(reported)]]
    if row["state"] != "complete":
        return None
    values = [row["value"], *(() if second is None else (second_value(row, second.kind),))]
    return [value for value in values if value is not None]


def _move_aside(path: StoragePath) -> None:
    """Keep a journal beside the one that is made anew; in a store, drop the logs that it had beside it."""
    if isinstance(path, RemotePath):
        for item in path.with_name(f"{path.name}.new").glob("*.jsonl"):
            item.unlink(missing_ok=True)
    elif path.exists():
        aside, number = path.with_name(f"{path.name}.replaced"), 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"{path.name}.replaced-{number}")
        path.rename(aside)

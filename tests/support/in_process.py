"""A backend that trains the runs of a study in this process, one after the other: for tests that need no Ray."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tune_reg.backends.lane_worker import LaneWorker
from tune_reg.backends.workers import worker_for
from tune_reg.execution.changes import changes, refuse_or_accept
from tune_reg.execution.controller import StudyController
from tune_reg.execution.lane_groups import LaneGroup, LaneGroups
from tune_reg.execution.lane_keys import LaneKeys
from tune_reg.execution.messages import LaneGroupReport, RunReport
from tune_reg.execution.provenance import make_provenance, write_provenance
from tune_reg.execution.results_directory import as_begun, claim, refuse_another_study
from tune_reg.execution.study_run import StudyRun
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import Study, make_plan

CPU = torch.device("cpu")


def run_study(study: Study, directory, *, lanes: int = 1, **settings) -> Results:
    """A study from its beginning, or from where it was stopped, to its end. ``settings``: as ``opened`` takes them."""
    carry_out(opened(study, directory, **settings), lanes=lanes)
    return Results(directory)


def opened(
    study: Study,
    directory,
    *,
    robustness_only: bool = False,
    retry_failed: bool = False,
    accept_changes: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> StudyController:
    """The controller of a study that begins or goes on, as a command opens it."""
    from tune_reg.data import load

    directory.mkdir(parents=True, exist_ok=True)
    study = as_begun(directory, study)
    refuse_another_study(directory, study)
    plan = make_plan(study)
    dataset = load(study.dataset) if study.dataset else None
    provenance = make_provenance(plan, dataset)
    changed = changes(Results(directory).provenance(), provenance)
    for line in refuse_or_accept(directory, changed, accept_changes=accept_changes):
        note(line)
    claim(directory, study)
    write_provenance(directory, provenance)
    return StudyController(
        plan,
        directory,
        data_md5=dataset.md5 if dataset else None,
        robustness_only=robustness_only,
        retry_failed=retry_failed,
        note=note,
    )


def carry_out(controller: StudyController, *, lanes: int = 1) -> None:
    """Train every run of a study, one at a time or in lane groups; raises what stopped the study, if anything did."""
    groups = LaneGroups(controller, LaneKeys(controller.plan), lanes=lanes) if lanes > 1 else None
    while not (controller.finished or controller.stopped):
        upcoming = groups.next_run() if groups else controller.next_run()
        if isinstance(upcoming, LaneGroup):
            train_group(groups, upcoming, controller)
        elif upcoming is not None:
            train(controller, upcoming)
        elif not controller.stopped:
            raise AssertionError("nothing can start, but the study is not finished")
    controller.raise_if_stopped()


def train(controller: StudyController, run: StudyRun) -> None:
    """One run to its end."""
    worker = worker_for(controller.order(run), CPU)
    decision = Decision.CONTINUE
    while decision is Decision.CONTINUE and not controller.stopped:
        message = worker.step()
        if isinstance(message, RunReport):
            decision = controller.take(run.key, message)
        else:
            controller.take_fault(message)
    worker.close()


def train_group(groups: LaneGroups, group: LaneGroup, controller: StudyController) -> None:
    """A lane group, until no run is left for it."""
    worker = LaneWorker(groups.order(group).runs, CPU)
    while group.runs and not controller.stopped:
        message = worker.step()
        if isinstance(message, LaneGroupReport):
            change = groups.take(group, message.reports)
            if group.runs:
                worker.change(change.ended, change.started)
        else:
            controller.take_fault(message)

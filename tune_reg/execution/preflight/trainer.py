"""Whether a training loop of the user's own can be called, and what it does with each regularizer, before the start.

The first method is trained to its first report, on the smallest training set; each other one to its first optimizer
step, which shows whether the loop carries the regularizer into its steps.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from tune_reg.data import at_hand, load
from tune_reg.errors import StudyError, TuneRegError
from tune_reg.execution.preflight.batches import any_params
from tune_reg.execution.study_run import confirm_run
from tune_reg.global_generators import seeded
from tune_reg.search.trial import Trial
from tune_reg.study import StudyPlan, Task
from tune_reg.trainer import Report, RunEnded, TrainerRun
from tune_reg.user_code import error_text
from tune_reg.user_function import import_function


def try_trainer(plan: StudyPlan, data_root: Path | None) -> list[str]:
    """Call the study's trainer for each method; a line for what a person should know, ``StudyError`` for mistakes."""
    study = plan.study
    if study.dataset and ":" not in study.dataset and at_hand(study.dataset, data_root) is None:
        return [
            f"data set {study.dataset}: not at hand, so the trainer was not tried; `tune-reg data fetch "
            f"{study.dataset}` gets it"
        ]
    device = torch.device("cuda" if study.resources.gpus and torch.cuda.is_available() else "cpu")
    tasks = list({task.regularizer: task for task in plan.tasks}.values())
    with seeded(study.seed, device):
        faults = [
            fault for task in tasks for fault in _faults(plan, task, device, data_root, to_report=task is tasks[0])
        ]
    if faults:
        raise StudyError("\n".join(dict.fromkeys(faults)))
    return []


def _faults(
    plan: StudyPlan, task: Task, device: torch.device, data_root: Path | None, *, to_report: bool
) -> Iterator[str]:
    """What is wrong with the loop in a run of a method, which ends at its first report, or before, at a step."""
    study = plan.study
    where = f"trainer {study.trainer!r}"
    reported = False

    def say(_: Report) -> None:
        nonlocal reported
        reported = True
        raise RunEnded

    def check() -> None:
        if not to_report:
            raise RunEnded

    run = confirm_run(plan, Trial(task, 0, any_params(task)), plan.training_sets[0], study.seed).run
    dataset = load(study.dataset, data_root) if study.dataset else None
    ended = False
    with tempfile.TemporaryDirectory(prefix="tune-reg-") as folder:
        handle = TrainerRun(run, dataset, device, Path(folder), say=say, check=check)
        handle.seed_globals(0)
        try:
            import_function(study.trainer, "trainer")(handle)
        except RunEnded:
            ended = True
        except TuneRegError as error:
            yield f"{where}: {error}"
            return
        except (Exception, SystemExit) as error:
            yield f"{where}: fails before its first run.report ({error_text(error)})"
            return
    if handle.fault is not None:
        yield f"{where}: {handle.fault}"
    elif not ended and not reported:
        yield f"{where}: it ended without run.report(epoch, {run.metric.name}=...); report each of run.epochs epochs"
    elif not ended:
        yield f"{where}: it went on after run.report had ended it; let exceptions that are no Exception pass"
    else:
        for hook, piece in handle.unused():
            yield (
                f"{where}: {task.regularizer} acts by its {hook}, which the loop leaves out; call run.{piece}, or read "
                "run.params where the loop does it by hand"
            )

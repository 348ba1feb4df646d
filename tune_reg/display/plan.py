"""What a study will cost and can decide, printed before it starts; and the check of a study."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from tune_reg.display.console import console
from tune_reg.display.tables import print_plan
from tune_reg.errors import TuneRegError
from tune_reg.store import Metric, load
from tune_reg.study import (
    GUESS,
    Spread,
    Study,
    StudyPlan,
    attack_cost,
    best_of_space_notes,
    decidable,
    how_far_trials_train,
    make_plan,
    other_searches,
    shared_values_notes,
    spread_of,
    unused_settings,
    validation_notes,
)


def print_whole_plan(plan: StudyPlan, results: Iterable[str | None] = ()) -> None:
    """Print what the study will cost and can decide, which settings mean nothing, and whether lanes can be had.

    ``results``: directories; the first one that has pairs of confirmed runs tells how much seeds vary.
    """
    print_plan(plan)
    added = [*best_of_space_notes(plan), *shared_values_notes(plan)]
    notes = [
        *attack_cost(plan),
        *validation_notes(plan),
        *how_far_trials_train(plan),
        *added,
        *decidable(plan, _spread(results, plan.study.metric.metric)),
    ]
    for line in [*notes, *unused_settings(plan.study), *other_searches(plan)]:
        console.print(line, soft_wrap=True)
    if plan.study.resources.lanes in ("auto", 1):
        return  # without the second that loading the engines takes
    from tune_reg.execution.lane_keys import lanes_note

    note = lanes_note(plan)
    if note is not None:
        console.print(note, soft_wrap=True)


def print_check(
    study: Study, name: str, *, data: Path | None = None, prior: str | None = None, skip_preflight: bool = False
) -> None:
    """Print the plan of a study, try its parts once, and print what a person should know of them.

    ``name``: what the last line calls the study. ``prior``: results that tell how much seeds vary. Raises
    ``TuneRegError`` with a line for each mistake.
    """
    plan = make_plan(study)
    print_whole_plan(plan, [prior])
    if not skip_preflight:
        from tune_reg.execution.kept_networks import kept_networks_note
        from tune_reg.execution.preflight import preflight

        kept = [] if study.trainer else [kept_networks_note(plan)]
        for note in [*preflight(plan, data), *kept, *_on_this_machine(plan)]:
            console.print(note, soft_wrap=True)
    console.print(f"{name}: valid; hash {study.hash}", soft_wrap=True)


def _on_this_machine(plan: StudyPlan) -> list[str]:
    """What a study that leaves it open would use of this machine's GPUs, a line each; none where it has none."""
    import torch

    from tune_reg.backends.ray.resources import demand, slots
    from tune_reg.execution.gpu_use import gpu_lines, resolved

    gpus = torch.cuda.device_count()
    here = [{"CPU": float(os.cpu_count() or 1), "GPU": float(gpus), "memory": math.inf}]
    resources = plan.study.resources
    if not gpus or resources.accelerator_type:  # Ray alone knows the kinds
        return []
    least = demand(resources)

    def fit(share: float) -> int:
        return slots(here, {**least, "GPU": share})

    return gpu_lines(plan, resolved(plan, fit), fit(1.0))


def _spread(directories: Iterable[str | None], metric: Metric) -> Spread:
    """How much seeds vary in the metric, by the first directory that tells; a guess where none does."""
    for directory in directories:
        try:
            spread = spread_of(load(directory), f"as in {directory}", metric) if directory is not None else None
        except (OSError, TuneRegError):
            continue
        if spread is not None:
            return spread
    return GUESS

"""How a study uses the GPUs that are at hand, where it does not say: how many trials share one, and how many lanes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from tune_reg.execution.lane_keys import cannot_be_lanes
from tune_reg.study import ResourceSettings, StudyPlan

#: Lanes that are taken to fill a GPU. On an H200 the rate grew up to 64 lanes, for three small models.
FULL: Final = 64
#: Trials on one GPU at most: each holds a CUDA context and a share of the memory. On an H200 four processes that train
#: one run at a time reached 3.4 times the rate of one, for three small models.
MOST: Final = 4


def trials_a_gpu(gpus: int, *, trials: int, lanes: int, most: int = MOST) -> int:
    """Trials on each of ``gpus`` GPUs: as many as there are for it, until ``FULL`` lanes fill it.

    ``trials``: lane groups or single runs that can be under way at a time. ``lanes``: runs that one of them trains side
    by side at most. min(ceil(trials / gpus), FULL // lanes, most), and at least 1.

    >>> trials_a_gpu(1, trials=3, lanes=16), trials_a_gpu(2, trials=3, lanes=16), trials_a_gpu(1, trials=3, lanes=64)
    (3, 2, 1)
    >>> trials_a_gpu(1, trials=100, lanes=1)
    4
    """
    return max(1, min(math.ceil(trials / gpus), FULL // lanes, most))


def most_lanes(plan: StudyPlan) -> int:
    """Runs of a study that have equal lane keys at a time, at most."""
    return max([plan.study.most_seeds, *(task.trials for task in plan.tasks)])


def resolved(plan: StudyPlan, fit: Callable[[float], int]) -> ResourceSettings:
    """The resources of a study's trials, where "auto" has become what it means on the cluster at hand.

    ``fit``: how many trials fit on it, each with so many GPUs. ``lanes`` stays "auto" where they are measured on a GPU.
    A trainer of the user's gets a GPU for itself: how much of it its loop fills is not known here.
    """
    resources = plan.study.resources
    gpus, lanes = resources.gpus, resources.lanes
    if "auto" not in (gpus, lanes):
        return resources
    whole = fit(1.0) if gpus == "auto" else 0
    if gpus == "auto" and not whole:
        gpus = resources.least_gpus
    if not gpus:
        return resources.model_copy(update={"gpus": 0.0, "lanes": 1 if lanes == "auto" else lanes})
    side_by_side = most_lanes(plan) if lanes == "auto" else min(lanes, most_lanes(plan))
    if side_by_side > 1 and cannot_be_lanes(plan) is not None:
        side_by_side = 1
    if gpus == "auto":
        trials = len(plan.tasks) if side_by_side > 1 else sum(task.trials for task in plan.tasks)
        most = 1 if plan.study.trainer else MOST
        shared = trials_a_gpu(whole, trials=trials, lanes=side_by_side, most=most)
        # No more than the processors and the memory of the nodes have room for.
        gpus = 1 / next(n for n in range(shared, 0, -1) if n == 1 or fit(1 / n) >= n * whole)
    return resources.model_copy(update={"gpus": gpus, "lanes": 1 if side_by_side == 1 else lanes})


def gpu_lines(plan: StudyPlan, use: ResourceSettings, gpus: int) -> list[str]:
    """What ``use``, the resolved resources of a study, means on ``gpus`` GPUs, for what the study leaves open.

    Nothing is said where no GPU is used.
    """
    if not use.gpus or use.gpus == "auto":
        return []
    asked = plan.study.resources
    lines = []
    if asked.gpus == "auto":
        at_hand = "1 GPU is at hand" if gpus == 1 else f"{gpus} GPUs are at hand"
        each = "a trial has one" if use.gpus == 1 else f"{round(1 / use.gpus)} trials share one"
        lines.append(f"gpus: auto, {at_hand}, and {each}")
    if asked.lanes == "auto" and use.lanes == "auto":
        lines.append("lanes: auto, measured on each GPU before the first group")
    elif asked.lanes == "auto":
        why = cannot_be_lanes(plan)
        lines.append("lanes: auto, but runs train one at a time" + (f"; {why}" if why else ""))
    return lines

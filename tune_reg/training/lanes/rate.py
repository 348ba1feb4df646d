"""Measures the rate and the memory of a number of lanes on this machine."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Sequence
from typing import Final

import torch

from tune_reg.data import Dataset
from tune_reg.training.cuda_graphs import WARM_UP
from tune_reg.training.lanes.count import Measured
from tune_reg.training.lanes.engine import Lane, LaneEngine
from tune_reg.training.run import Run
from tune_reg.training.serial_engine import SerialEngine

#: Steps of a pass that is timed.
_STEPS: Final = 20
#: Passes that are timed.
_REPEATS: Final = 2


def measured(run: Run, lanes: int, dataset: Dataset, device: torch.device, *, share: float = 1.0) -> Measured:
    """Rate and memory of ``lanes`` runs like ``run`` on a part of ``dataset``, training and validation together.

    ``lanes`` = 1 is a single run in a ``SerialEngine``. The first passes over the part are not timed; of the following
    ones the quickest counts. Where the data set has room, the part is whole batches, so that on a GPU one pass of lanes
    captures all there is to capture. The batch is the largest of the run's schedule. ``share``: the worker's share of
    the device. Lanes that do not fit into memory have the rate 0. Memory is the memory of a GPU, and 0 on a CPU.
    """
    gc.collect()  # frees the memory of engines that were measured before
    part, whole = _part(dataset, run)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        if lanes == 1:
            single = SerialEngine(whole, dataset=part, device=device)
            rate = _epochs_a_second(single, [single])
        else:
            engine = LaneEngine([whole] * lanes, dataset=part, device=device)
            rate = _epochs_a_second(engine, engine.lanes)
    except torch.cuda.OutOfMemoryError:
        return Measured(0.0, float("inf"))
    if not on_gpu:
        return Measured(rate, 0.0)
    free, total = torch.cuda.mem_get_info(device)
    # A part of the data set stands in for all of it.
    images = dataset.train_images.numel() - part.train_images.numel()
    needed = torch.cuda.max_memory_reserved(device) + images
    return Measured(rate, filled(needed, free + torch.cuda.memory_reserved(device), total, share))


def filled(needed: int, available: int, total: int, share: float) -> float:
    """The share of a worker's memory that ``needed`` bytes fill.

    A worker has its ``share`` of the ``total`` bytes of the device, or less where other processes hold some of them.
    ``available``: bytes that are free or already held by the worker.

    >>> filled(20, available=80, total=100, share=0.5), filled(20, available=25, total=100, share=0.5)
    (0.4, 0.8)
    """
    usable = min(share * total, available)
    return needed / usable if usable > 0 else float("inf")


def _epochs_a_second(engine: LaneEngine | SerialEngine, runs: Sequence[Lane | SerialEngine]) -> float:
    """Epochs of single runs a second, when ``engine`` trains ``runs`` for an epoch."""
    untimed = _untimed(engine) if engine.device.type == "cuda" else 1
    quickest = float("inf")
    for repeat in range(untimed + _REPEATS):
        for run in runs:
            run.epoch, run.diverged = 0, False  # trains again, even where the last epoch diverged
        begin = time.perf_counter()
        engine.train_epoch()
        if engine.device.type == "cuda":
            torch.cuda.synchronize(engine.device)
        if repeat >= untimed:
            quickest = min(quickest, time.perf_counter() - begin)
    return len(runs) / quickest


def _untimed(engine: LaneEngine | SerialEngine) -> int:
    """How many passes a GPU needs until each step is captured: the first steps of each size of batch are eager."""
    if isinstance(engine, SerialEngine):  # which validates in one batch
        return WARM_UP + 1
    plan = engine.lanes[0].plan
    validated = len(plan.val_index) or len(engine.dataset.test_labels)
    # Lanes validate in batches as large as those of a step. A smaller last batch comes once in a pass.
    counts = [divmod(n, plan.batch_sizes[0]) for n in (len(plan.train_index), validated)]
    return 1 if all(whole > WARM_UP and not rest for whole, rest in counts) else WARM_UP + 1


def _part(dataset: Dataset, run: Run) -> tuple[Dataset, Run]:
    """The first images, enough for ``_STEPS`` steps and for validation, and the run that trains on all of them.

    The part has whole batches where the data set has as many images.
    """
    batch = max(run.settings.batch_sizes())
    held_out = 0.0 if run.protocol == "paper" else run.training.validation
    n_train = _STEPS * batch
    # More than the first batches, which are eager.
    n_held = max(WARM_UP + 1, round(_STEPS * held_out / (1 - held_out))) * batch if held_out else 0
    n = min(n_train + n_held, len(dataset.train_labels))
    share = {"validation": n_held / n} if held_out and n == n_train + n_held else {}
    test = max(1, round(len(dataset.test_labels) * n / len(dataset.train_labels)))
    test = min(max(WARM_UP + 1, round(test / batch)) * batch, len(dataset.test_labels))
    part = dataclasses.replace(
        dataset,
        train_images=dataset.train_images[:n],
        train_labels=dataset.train_labels[:n],
        test_images=dataset.test_images[:test],
        test_labels=dataset.test_labels[:test],
    )
    training = run.training.model_copy(update={"batch_size": batch, "batch_size_schedule": "constant", **share})
    params = {name: value for name, value in run.params.items() if not name.startswith("batch_size")}
    return part, dataclasses.replace(run, training=training, params=params, fraction=1.0, images_per_class=None)

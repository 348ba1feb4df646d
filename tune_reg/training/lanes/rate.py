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

#: Steps of an epoch that is timed.
_STEPS: Final = 20
#: Epochs that are timed.
_REPEATS: Final = 2


def measured(run: Run, lanes: int, dataset: Dataset, device: torch.device, *, share: float = 1.0) -> Measured:
    """Rate and memory of ``lanes`` runs like ``run`` on a part of ``dataset``, training and validation together.

    ``lanes`` = 1 is a single run in a ``SerialEngine``. The first epochs are not timed; of the following ones the
    quickest counts. ``share``: the worker's share of the device. Lanes that do not fit into memory have the rate 0.
    Memory is the memory of a GPU, and 0 on a CPU. Tried on a CPU alone: no GPU was at hand.
    """
    gc.collect()  # frees the memory of engines that were measured before
    part = _part(dataset, run)
    whole = dataclasses.replace(run, fraction=1.0, images_per_class=None)
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
    # On a GPU the first steps of each batch size are eager, and the last batch of another size comes once an epoch.
    untimed = WARM_UP + 1 if engine.device.type == "cuda" else 1
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


def _part(dataset: Dataset, run: Run) -> Dataset:
    """The first images, enough for ``_STEPS`` steps beside validation, and as large a share of the test set."""
    held_out = 0.0 if run.protocol == "paper" else run.training.validation
    n = min(round(_STEPS * run.settings.batch_size / (1 - held_out)), len(dataset.train_labels))
    test = max(1, round(len(dataset.test_labels) * n / len(dataset.train_labels)))
    return dataclasses.replace(
        dataset,
        train_images=dataset.train_images[:n],
        train_labels=dataset.train_labels[:n],
        test_images=dataset.test_images[:test],
        test_labels=dataset.test_labels[:test],
    )

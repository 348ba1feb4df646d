"""Measures what a number of lanes does on this machine."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Sequence
from typing import Final

import torch

from tune_reg.data import Dataset
from tune_reg.training.engine import SerialEngine
from tune_reg.training.lane_count import Measured
from tune_reg.training.lanes import Lane, LaneEngine
from tune_reg.training.replay import WARM_UP
from tune_reg.training.run import Run

#: So many steps make the epochs that are timed.
_STEPS: Final = 20
_REPEATS: Final = 2


def measured(run: Run, lanes: int, dataset: Dataset, device: torch.device, *, share: float = 1.0) -> Measured:
    """Rate and memory of ``lanes`` runs like ``run`` on a part of ``dataset``, training and validation together.

    One is a single run, without lanes. First epochs are not timed; of those that follow, the quickest counts.
    ``share``: of the device, which is the worker's. What does not fit into memory has the rate 0. Memory is that of a
    GPU, and 0 on a CPU. Tried on a CPU alone: no GPU was at hand.
    """
    gc.collect()  # what an engine before this one held
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
    """How full ``needed`` bytes make a worker's memory: its share of the device, or less where others hold some of it.

    ``available``: bytes that are free or the worker's already; ``total``: of the device.

    >>> filled(20, available=80, total=100, share=0.5), filled(20, available=25, total=100, share=0.5)
    (0.4, 0.8)
    """
    room = min(share * total, available)
    return needed / room if room > 0 else float("inf")


def _epochs_a_second(engine: LaneEngine | SerialEngine, runs: Sequence[Lane | SerialEngine]) -> float:
    # On a GPU each size of batch is eager in its first steps, and the last batch comes once an epoch.
    untimed = WARM_UP + 1 if engine.device.type == "cuda" else 1
    quickest = float("inf")
    for repeat in range(untimed + _REPEATS):
        for run in runs:
            run.epoch, run.diverged = 0, False  # there is something to train, whatever became of it
        begin = time.perf_counter()
        engine.train_epoch()
        if engine.device.type == "cuda":
            torch.cuda.synchronize(engine.device)
        if repeat >= untimed:
            quickest = min(quickest, time.perf_counter() - begin)
    return len(runs) / quickest


def _part(dataset: Dataset, run: Run) -> Dataset:
    """The first images, enough for so many steps beside those held out; and as large a part of the test set."""
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

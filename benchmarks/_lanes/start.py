"""The start of a contender, and the memory that it takes."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch
from _shared.measuring import memory_growth

from _lanes.contenders import Contender


def started(make: Callable[[], Contender], device: torch.device) -> tuple[Contender, float]:
    """A contender after two epochs, and the bytes that these took beyond what was in use before.

    On a CPU they are those of a process that does nothing else.
    """
    if device.type != "cuda":
        needed = memory_growth(lambda: _two_epochs(make))
        return _two_epochs(make), needed
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    contender = _two_epochs(make)
    return contender, float(torch.cuda.max_memory_allocated(device) - before)


def _two_epochs(make: Callable[[], Contender]) -> Contender:
    contender = make()
    contender.epoch()
    contender.epoch()
    return contender

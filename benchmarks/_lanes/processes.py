"""Single runs in processes of their own that share a device."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import torch
from _shared.measuring import wait

from _lanes.contenders import Case, Contender, Eager, Graphed, images_of


class Processes:
    """Processes that share the device, each of which trains one run at a time. They are started once."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.count = count
        context = multiprocessing.get_context("spawn")
        self._tasks: list[Any] = [context.SimpleQueue() for _ in range(count)]
        self._barrier = context.Barrier(count + 1)
        self._children = [
            context.Process(target=_serve, args=(tasks, self._barrier, str(device)), daemon=True)
            for tasks in self._tasks
        ]
        for child in self._children:
            child.start()

    def seconds(self, case: Case, epochs: int, *, graphed: bool) -> float:
        """Seconds in which each process trains so many epochs of one run."""
        for tasks in self._tasks:
            tasks.put((case, epochs, graphed))
        self._barrier.wait(300)
        begin = time.perf_counter()
        self._barrier.wait(300)
        return time.perf_counter() - begin

    def stop(self) -> None:
        for tasks in self._tasks:
            tasks.put(None)
        for child in self._children:
            child.join(30)


def _serve(tasks: Any, barrier: Any, name: str) -> None:
    torch.set_num_threads(1)
    device = torch.device(name)
    while (task := tasks.get()) is not None:
        case, epochs, graphed = task
        try:
            contender: Contender = (Graphed if graphed else Eager)(case, images_of(case.images), device)
            contender.epoch()
            contender.epoch()
            wait(device)
            barrier.wait(300)
            for _ in range(epochs):
                contender.epoch()
            wait(device)
            barrier.wait(300)
        except BaseException:
            barrier.abort()
            raise
        del contender
        if device.type == "cuda":
            torch.cuda.empty_cache()

"""A step that is done again and again: on a GPU captured once, and replayed without the host from there on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import torch
from torch import Tensor

from tune_reg.errors import one_line

#: So many steps run eagerly first: what they load, choose and allocate for the first time must not be captured.
WARM_UP: Final = 3
#: How far a replay may be from the same step run eagerly, as a share of what the step changes. Kernels that add in no
#: fixed order differ by far less; what a graph must not contain, by far more.
CLOSE: Final = 0.01


class Graphs(Protocol):
    """What can capture a step."""

    def warm_up(self, step: Callable[[], None]) -> None:
        """Do ``step``, where it is going to be captured."""

    def capture(self, step: Callable[[], None]) -> Callable[[], object]:
        """What does ``step`` again, on the tensors that it used; it is not done now."""


class CudaGraphs:
    """Captures CUDA graphs on one side stream, with one pool of memory for all of them: they never run side by side."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, step: Callable[[], None]) -> None:
        """On the side stream, in the order of the work around it."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            step()
        current.wait_stream(self._stream)

    def capture(self, step: Callable[[], None]) -> Callable[[], object]:
        """A graph's ``replay``."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            step()
        return graph.replay


def graphs_for(device: torch.device) -> Graphs | None:
    """What captures steps on a device, or None where they run eagerly.

    >>> graphs_for(torch.device("cpu"))
    """
    return CudaGraphs(device) if device.type == "cuda" else None


@dataclass
class _Size:
    """What is known of the step for one size of the batch."""

    eager: int = 0
    replay: Callable[[], object] | None = None


class Replayed:
    """``step(size)``, done as quickly as ``graphs`` allows, and always with the same result.

    The first steps are eager and count like any other. Then it is captured, for each size by itself, and replayed. A
    replay is compared once with the step run eagerly. Where capturing fails, or the two differ, a warning says so, and
    all steps run eagerly.

    ``state``: all tensors that the step changes. It must find everything that it reads in tensors that stay where they
    are, and write its results there.
    """

    def __init__(self, step: Callable[[int], None], state: Sequence[Tensor], graphs: Graphs | None) -> None:
        self._step, self._state, self._graphs = step, state, graphs
        self._sizes: dict[int, _Size] = {}

    def __call__(self, size: int) -> None:
        """One step."""
        known = self._sizes.setdefault(size, _Size())
        if self._graphs is None:
            self._step(size)
        elif known.replay is not None:
            known.replay()
        elif known.eager < WARM_UP:
            known.eager += 1
            self._graphs.warm_up(partial(self._step, size))
        else:
            known.replay = self._captured(self._graphs, partial(self._step, size))

    def _captured(self, graphs: Graphs, step: Callable[[], None]) -> Callable[[], object] | None:
        """Do one step; what does the next ones, or None where nothing but the step itself can."""
        try:
            replay = graphs.capture(step)
        except RuntimeError as error:  # capturing runs nothing on the device: all is as it was
            step()
            self._refuse(one_line(error))
            return None
        before = [tensor.clone() for tensor in self._state]
        replay()
        replayed = [tensor.clone() for tensor in self._state]
        self._restore(before)
        step()
        if all(map(_close, before, replayed, self._state)):
            return replay
        self._refuse("its replay differs from the step itself, so something is kept outside of its tensors")
        return None

    def _restore(self, before: Sequence[Tensor]) -> None:
        for tensor, value in zip(self._state, before, strict=True):
            tensor.copy_(value)

    def _refuse(self, why: str) -> None:
        self._graphs = None
        for known in self._sizes.values():
            known.replay = None
        warnings.warn(
            f"lanes: no CUDA graph of this step ({why}); it runs eagerly: slower, with the same results",
            RuntimeWarning,
            stacklevel=4,
        )


def _close(before: Tensor, replayed: Tensor, eager: Tensor) -> bool:
    """Whether a replay did to each lane what the step did; where that is not finite there is nothing to compare."""

    def farthest(one: Tensor, other: Tensor) -> Tensor:
        return (one - other).abs().flatten(1).amax(1).double() if one.ndim > 1 else (one - other).abs().double()

    if not eager.numel():
        return True
    rounding = torch.finfo(eager.dtype).eps * 8 if eager.is_floating_point() else 0.0
    size = eager.abs().flatten(1).amax(1).double() if eager.ndim > 1 else eager.abs().double()
    bound = CLOSE * farthest(eager, before) + rounding * size
    return bool(((farthest(replayed, eager) <= bound) | ~bound.isfinite()).all())

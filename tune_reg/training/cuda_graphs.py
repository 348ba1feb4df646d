"""CUDA graphs: a step that is run many times is captured once, and replayed without the host from there on."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor

from tune_reg.errors import one_line
from tune_reg.global_generators import current, same, seeded

#: Steps that run eagerly first: what they load, choose and allocate for the first time must not be captured.
WARM_UP: Final = 3
#: How far a replay may be from the same step run eagerly, as a share of what the step changes. Kernels that add in no
#: fixed order differ by far less; a step that a graph cannot hold differs by far more.
CLOSE: Final = 0.01
#: How much farther a replay may be from an eager step than a second eager step is.
_NOISE_FACTOR: Final = 4.0
#: Further eager steps that a replay is compared with where kernels add in no fixed order.
_EAGER_STEPS: Final = 4


class Graphs(Protocol):
    """Captures steps as graphs: ``CudaGraphs``, or what stands in for it in a test."""

    def warm_up(self, step: Callable[[], None]) -> None:
        """Run ``step`` eagerly, on the stream where it is going to be captured."""

    def capture(self, step: Callable[[], None]) -> Callable[[], object]:
        """Record ``step`` without running it, and return a function that runs it again on the same tensors."""

    def differentiable(self, function: Callable[[Tensor], Tensor], sample: Tensor) -> Callable[[Tensor], Tensor]:
        """``function``, for tensors like ``sample`` that a gradient is asked of, with both its passes replayed.

        Each call writes its result into the same memory.
        """

    def random_state(self) -> Tensor:
        """The state of the device's own generator of random numbers."""

    def set_random_state(self, state: Tensor) -> None:
        """Set the device's own generator to a state of ``random_state``."""


class CudaGraphs:
    """Captures CUDA graphs on one side stream, with one memory pool for all graphs, which never run side by side."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, step: Callable[[], None]) -> None:
        """Run ``step`` eagerly on the side stream, in the order of the work around it."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            step()
        current.wait_stream(self._stream)

    def capture(self, step: Callable[[], None]) -> Callable[[], object]:
        """Record ``step`` as a CUDA graph and return the graph's ``replay``."""
        graph = torch.cuda.CUDAGraph()
        with self._capturing(), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            step()
        return graph.replay

    def differentiable(self, function: Callable[[Tensor], Tensor], sample: Tensor) -> Callable[[Tensor], Tensor]:
        """``function`` as ``torch.cuda.make_graphed_callables`` makes it."""
        gc.collect()  # what it made before is in a cycle of references, with the memory of its passes
        like = sample.detach().clone().requires_grad_()
        with self._capturing(), warnings.catch_warnings():
            # Torch captures on another stream than it warms up on. The gradient of ``like`` is never accumulated.
            warnings.filterwarnings("ignore", "The AccumulateGrad node's stream")
            replay = torch.cuda.make_graphed_callables(function, (like,), pool=self._pool)
        return cast("Callable[[Tensor], Tensor]", replay)

    @contextmanager
    def _capturing(self) -> Iterator[None]:
        """A context for a capture. One that fails leaves the stream as it was, and its pool is not used again.

        Garbage is not collected meanwhile: a graph that is freed during a capture breaks it.
        """
        before, collects = torch.cuda.current_stream(self._device), gc.isenabled()
        gc.disable()
        try:
            with torch.cuda.device(self._device):
                yield
        except BaseException:
            torch.cuda.set_stream(before)
            self._pool = torch.cuda.graph_pool_handle()
            raise
        finally:
            if collects:
                gc.enable()

    def random_state(self) -> Tensor:
        """The state of the device's generator."""
        return torch.cuda.get_rng_state(self._device)

    def set_random_state(self, state: Tensor) -> None:
        """Set the device's generator."""
        torch.cuda.set_rng_state(state, self._device)


def graphs_for(device: torch.device) -> Graphs | None:
    """The graphs that capture steps on a device, or None on a device where steps run eagerly.

    >>> graphs_for(torch.device("cpu"))
    """
    return CudaGraphs(device) if device.type == "cuda" else None


@dataclass
class _OfSize:
    """The step for one size: how often it ran eagerly, and its graph's replay once it is captured."""

    eager_runs: int = 0
    replay: Callable[[], object] | None = None


#: What a step is called with: the size of its batch, or the sizes of several.
Size = TypeVar("Size", bound=Hashable)


class Replayed(Generic[Size]):
    """A function ``step(size)`` that is replayed as a graph where ``graphs`` can, always with the same result.

    The first steps run eagerly and count like any other. Then the step is captured, for each batch size by itself, and
    replayed. A replay is compared once with the step run eagerly. Where capturing fails, or the two differ, a warning
    says so, and all steps run eagerly.

    ``state``: all tensors that the step changes, asked for when it is captured. The step must read from tensors that
    stay where they are, and write its results into such tensors. A step that draws random numbers from the generators
    of the host is not captured, since a graph would repeat the same ones; those of the device's own generator are drawn
    anew in each replay.
    """

    def __init__(self, step: Callable[[Size], None], state: Iterable[Tensor], graphs: Graphs | None) -> None:
        self._step, self._state, self._graphs = step, state, graphs
        self._sizes: dict[Size, _OfSize] = {}

    def __call__(self, size: Size) -> None:
        """Run one step on a batch of ``size``."""
        of_size = self._sizes.setdefault(size, _OfSize())
        if self._graphs is None:
            self._step(size)
        elif of_size.replay is not None:
            of_size.replay()
        elif of_size.eager_runs < WARM_UP:
            of_size.eager_runs += 1
            self._graphs.warm_up(partial(self._step, size))
        else:
            of_size.replay = self._capture(self._graphs, partial(self._step, size))

    def _capture(self, graphs: Graphs, step: Callable[[], None]) -> Callable[[], object] | None:
        """Capture ``step`` and run it once; the replay of the next steps, or None where they must run eagerly."""
        try:
            with nothing_drawn_on_the_host():
                replay = graphs.capture(step)
        except RuntimeError as error:  # capturing runs nothing on the device, so nothing has to be undone
            step()
            self._refuse(one_line(error))
            return None
        state, numbers = [tensor.detach() for tensor in self._state], graphs.random_state()
        before = [tensor.clone() for tensor in state]

        def again(run: Callable[[], object]) -> list[Tensor]:
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
            graphs.set_random_state(numbers)
            run()
            return [tensor.clone() for tensor in state]

        replayed, eager = again(replay), again(step)
        if all(map(_close, before, replayed, eager)):
            return replay
        # Where kernels add in no fixed order two eager steps differ, too: by much, where a gradient is only rounding.
        # By chance two of them may be closer than others are, so that several are looked at.
        if any(all(map(_close, before, replayed, again(step), eager)) for _ in range(_EAGER_STEPS)):
            return replay
        self._refuse("its replay differs from the step itself, so something is kept outside of its tensors")
        return None

    def _refuse(self, why: str) -> None:
        """Run all steps eagerly from here on, and warn once."""
        self._graphs = None
        for of_size in self._sizes.values():
            of_size.replay = None
        warnings.warn(
            f"no CUDA graph of this step ({why}); it runs eagerly: slower, with the same results",
            RuntimeWarning,
            stacklevel=4,
        )


@contextmanager
def nothing_drawn_on_the_host() -> Iterator[None]:
    """A context that leaves the generators of the host as they are; RuntimeError where something drew from them."""
    before = current()
    with seeded(0, states=before):
        yield
        if not same(before, current()):
            raise RuntimeError("it draws random numbers on the host")


def _close(before: Tensor, replayed: Tensor, eager: Tensor, other: Tensor | None = None) -> bool:
    """Whether a replay changed each lane as the eager step did; a lane that is not finite is not compared.

    ``other``: what another eager step gives, which a replay may differ as much from.
    """

    def farthest(one: Tensor, other: Tensor) -> Tensor:
        return (one - other).abs().flatten(1).amax(1).double() if one.ndim > 1 else (one - other).abs().double()

    if not eager.numel():
        return True
    rounding = torch.finfo(eager.dtype).eps * 8 if eager.is_floating_point() else 0.0
    size = eager.abs().flatten(1).amax(1).double() if eager.ndim > 1 else eager.abs().double()
    bound = CLOSE * farthest(eager, before) + rounding * size
    if other is not None:
        bound = bound + _NOISE_FACTOR * farthest(eager, other)
    return bool(((farthest(replayed, eager) <= bound) | ~bound.isfinite()).all())

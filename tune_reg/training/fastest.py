"""Times several ways to compute the same on a device, and says which is the fastest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import torch
from torch import Tensor

from tune_reg.errors import one_line
from tune_reg.training.cuda_graphs import CudaGraphs

#: Times that a way is run; the shortest counts.
_RUNS: Final = 5
#: By how much a way must be faster than the first one to be taken in its place.
_GAIN: Final = 0.05

#: What a way is chosen for.
_Key = TypeVar("_Key")

#: The milliseconds that a function takes on the device.
Clock = Callable[[Callable[[], object]], float]


class Measured(NamedTuple):
    """A way's time in milliseconds, or the reason why it must not be used."""

    name: str
    milliseconds: float = float("inf")
    refused: str = ""


def fastest(measured: Sequence[Measured]) -> str:
    """The name of the way to use: the first one, unless another that may be used is faster by a twentieth.

    >>> fastest([Measured("one", 1.0), Measured("other", 0.5), Measured("wrong", 0.1, "differs")])
    'other'
    >>> fastest([Measured("one", 1.0), Measured("other", 0.97)])
    'one'
    """
    first, *others = measured
    quickest = min((one for one in others if not one.refused), key=lambda one: one.milliseconds, default=first)
    return quickest.name if quickest.milliseconds < (1 - _GAIN) * first.milliseconds else first.name


def chosen(ways: dict[_Key, str], key: _Key, measured: Callable[[], Sequence[Measured]], unmeasured: str) -> str:
    """The way that ``ways`` has for ``key``, which is measured and kept there where it is new.

    While a CUDA graph is being captured nothing can be measured, and a key that is new has the way ``unmeasured``.
    """
    if key not in ways:
        if torch.cuda.is_current_stream_capturing():
            return unmeasured
        ways[key] = fastest(measured())
        torch.cuda.empty_cache()  # what measuring took
    return ways[key]


def compared(
    ways: Mapping[str, Callable[[], list[Tensor]]], right: Callable[[list[Tensor]], bool], clock: Clock
) -> list[Measured]:
    """The time of each way, by its name.

    One that fails or does not fit into memory is refused, and so is one whose results are not ``right``; but not the
    first one for its results, which is what is done without a choice.
    """
    measured = []
    for place, (name, way) in enumerate(ways.items()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a compiler that is called for the first time
                results = way()
                if place > 0 and not right(results):
                    measured.append(Measured(name, refused="its results differ"))
                    continue
                del results
                measured.append(Measured(name, clock(way)))
        except Exception as error:  # whatever a kernel fails with, there is another way
            measured.append(Measured(name, refused=one_line(error)))
    return measured


def replay_milliseconds(device: torch.device) -> Clock:
    """A clock for a CUDA device: of the replays of a function's CUDA graph, so that the host's time does not count."""

    def clock(run: Callable[[], object]) -> float:
        graphs = CudaGraphs(device)

        def step() -> None:
            run()

        graphs.warm_up(step)
        replay = graphs.capture(step)
        milliseconds = float("inf")
        with torch.cuda.device(device):
            for _ in range(_RUNS):
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
                begin.record()
                replay()
                end.record()
                end.synchronize()
                milliseconds = min(milliseconds, begin.elapsed_time(end))
        return milliseconds

    return clock

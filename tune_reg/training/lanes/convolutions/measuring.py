"""Measures the formulations of a convolution of K lanes on a device, and chooses one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from tune_reg.errors import one_line
from tune_reg.training.cuda_graphs import CudaGraphs
from tune_reg.training.lanes.convolutions.formulations import FORMULATIONS
from tune_reg.training.lanes.convolutions.layer import Layer
from tune_reg.training.precision import takes_tf32

#: Times that a formulation is run; the shortest counts.
_RUNS: Final = 5
#: By how much a formulation must be faster than the first one to be taken in its place.
_GAIN: Final = 0.05

#: The milliseconds that a function takes on the device.
Clock = Callable[[Callable[[], object]], float]


class Measured(NamedTuple):
    """A formulation's time in milliseconds, or the reason why it must not be used."""

    name: str
    milliseconds: float = float("inf")
    refused: str = ""


def fastest(measured: Sequence[Measured]) -> str:
    """The name of the formulation to use: the first one, unless another that may be used is faster by a twentieth.

    >>> fastest([Measured("one", 1.0), Measured("other", 0.5), Measured("wrong", 0.1, "differs")])
    'other'
    >>> fastest([Measured("one", 1.0), Measured("other", 0.97)])
    'one'
    """
    first, *others = measured
    quickest = min((one for one in others if not one.refused), key=lambda one: one.milliseconds, default=first)
    return quickest.name if quickest.milliseconds < (1 - _GAIN) * first.milliseconds else first.name


def measure(layer: Layer, names: Iterable[str], device: torch.device, clock: Clock) -> list[Measured]:
    """The formulations ``names`` of a layer: the time of the outputs and of the gradients that the layer asks for.

    Each is compared with the first one, on random numbers of a generator of their own. One that fails, does not fit
    into memory, or differs by more than the rounding of the dtype, is refused.
    """
    tensors, along = _random(layer, device)
    first: list[Tensor] | None = None
    measured = []
    for name in names:

        def run(name: str = name) -> list[Tensor]:
            return _outputs_and_gradients(layer, name, tensors, along)

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a compiler that is called for the first time
                results = run()
                first = first or results
                if not all(map(_near, results, first)):
                    measured.append(Measured(name, refused="its results differ"))
                    continue
                del results
                measured.append(Measured(name, clock(run)))
        except Exception as error:  # whatever a kernel fails with, there is another formulation
            measured.append(Measured(name, refused=one_line(error)))
    return measured


def tolerance(dtype: torch.dtype) -> float:
    """How far results may differ, as a share of their norm: some roundings of the factors of a product.

    float32 is rounded to TF32 where ``products`` says so.
    """
    if dtype == torch.float32 and takes_tf32():
        return 2.0**-8
    return {torch.bfloat16: 2.0**-5, torch.float16: 2.0**-8, torch.float32: 2.0**-16}.get(dtype, 2.0**-40)


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


def _outputs_and_gradients(
    layer: Layer, name: str, tensors: tuple[Tensor, Tensor, Tensor | None], along: Tensor
) -> list[Tensor]:
    with torch.enable_grad():
        outputs = FORMULATIONS[name](*tensors, layer.geometry)
        wanted = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
        return [outputs.detach(), *(torch.autograd.grad(outputs, wanted, along) if wanted else ())]


def _random(layer: Layer, device: torch.device) -> tuple[tuple[Tensor, Tensor, Tensor | None], Tensor]:
    """Inputs, weights and bias of a layer, and a gradient of its outputs."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device, dtype=torch.float32).to(layer.dtype)

    inputs = normal(*(() if layer.shared else (layer.lanes,)), *layer.images).requires_grad_(layer.image_gradient)
    weights = normal(layer.lanes, *layer.weights).requires_grad_(layer.weight_gradient)
    bias = normal(layer.lanes, layer.weights[0]).requires_grad_(layer.weight_gradient) if layer.biased else None
    size = layer.geometry.output_size((layer.images[2], layer.images[3]), (layer.weights[2], layer.weights[3]))
    return (inputs, weights, bias), normal(layer.lanes, layer.images[0], layer.weights[0], *size)


def _near(one: Tensor, other: Tensor) -> bool:
    """Whether two results differ by rounding alone; a result that is not finite is near to none."""
    bound = tolerance(one.dtype) * other.double().norm()
    return bool((one.double() - other.double()).norm() <= bound)

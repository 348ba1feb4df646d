"""Measures the formulations of a convolution of K lanes on a device."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial

import torch
from torch import Tensor

from tune_reg.training.fastest import Clock, Measured, compared
from tune_reg.training.lanes.convolutions.formulations import FORMULATIONS
from tune_reg.training.lanes.convolutions.layer import Layer
from tune_reg.training.precision import takes_tf32


def measure(layer: Layer, names: Iterable[str], device: torch.device, clock: Clock) -> list[Measured]:
    """The formulations ``names`` of a layer: the time of the outputs and of the gradients that the layer asks for.

    Where the gradient of the images is differentiated once more, its own gradients count, too.

    Its first and last lanes are compared with a convolution in float64, on random numbers of a generator of their own.
    One that fails, does not fit into memory, or differs by more than the rounding of the dtype, is refused; but the
    first one is not refused for its rounding.
    """
    tensors, along = _random(layer, device)
    ways = {name: partial(_outputs_and_gradients, layer, name, tensors, along) for name in names}
    # What the images' gradient sums over lanes that share them is no lane's own.
    lanes = list(range(layer.lanes)) if layer.shared else [0, layer.lanes - 1]

    @cache  # where the first of them asks for it: what does not fit into memory is refused, and stops nothing
    def exact() -> list[Tensor]:
        return _outputs_and_gradients(layer, "grouped", *_in_float64(layer, tensors, along, lanes))

    def right(results: list[Tensor]) -> bool:
        return all(
            _near(result if layer.shared else result[lanes], value)
            for result, value in zip(results, exact(), strict=True)
        )

    return compared(ways, right, clock)


def tolerance(dtype: torch.dtype) -> float:
    """How far results may differ, as a share of their norm: some roundings of the factors of a product.

    float32 is rounded to TF32 where ``products`` says so.
    """
    if dtype == torch.float32 and takes_tf32():
        return 2.0**-8
    return {torch.bfloat16: 2.0**-5, torch.float16: 2.0**-8, torch.float32: 2.0**-16}.get(dtype, 2.0**-40)


def _outputs_and_gradients(
    layer: Layer, name: str, tensors: tuple[Tensor, Tensor, Tensor | None], along: Tensor
) -> list[Tensor]:
    with torch.enable_grad():
        outputs = FORMULATIONS[name](*tensors, layer.geometry)
        wanted = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
        if layer.twice:
            (of_images,) = torch.autograd.grad(outputs, tensors[0], along, create_graph=True)
            gradients = torch.autograd.grad([outputs, of_images], wanted, [along, of_images.detach()])
            return [outputs.detach(), of_images.detach(), *gradients]
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


def _in_float64(
    layer: Layer, tensors: tuple[Tensor, Tensor, Tensor | None], along: Tensor, lanes: list[int]
) -> tuple[tuple[Tensor, Tensor, Tensor | None], Tensor]:
    """Some of the lanes of what ``_random`` gives."""

    def of_lanes(tensor: Tensor) -> Tensor:
        return tensor.detach()[lanes].double().requires_grad_(tensor.requires_grad)

    inputs, weights, bias = tensors
    images = inputs.detach().double().requires_grad_(inputs.requires_grad) if layer.shared else of_lanes(inputs)
    return (images, of_lanes(weights), None if bias is None else of_lanes(bias)), of_lanes(along)


def _near(result: Tensor, exact: Tensor) -> bool:
    """Whether a result differs from the exact one by rounding alone; a result that is not finite does not."""
    return bool((result.double() - exact).norm() <= tolerance(result.dtype) * exact.norm())

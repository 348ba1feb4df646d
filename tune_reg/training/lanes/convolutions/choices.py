"""What was chosen for the convolutions of this process, and how one that is new gets its formulation."""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor

from tune_reg.training.fastest import Measured, chosen, replay_milliseconds
from tune_reg.training.lanes.convolutions.formulations import FORMULATIONS, Formulation, candidates
from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.lanes.convolutions.layer import Layer, layer_of
from tune_reg.training.lanes.convolutions.measuring import measure
from tune_reg.training.precision import takes_tf32

#: By kind of layer, device and whether float32 may be rounded to TF32, the formulation that was the fastest: as
#: cudnn.benchmark, for the process.
_CHOSEN: Final[dict[tuple[Layer, torch.device, bool], str]] = {}


def convolution_for(device: torch.device, *, twice: bool = False) -> Formulation | None:
    """The convolution of lanes on a device, or None on a device where it is left to torch.func.vmap.

    ``twice``: whether a penalty differentiates the gradient of the images once more.

    >>> convolution_for(torch.device("cpu"))
    """
    return partial(chosen_convolution, twice=twice) if device.type == "cuda" else None


def chosen_convolution(
    inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry, *, twice: bool = False
) -> Tensor:
    """Outputs [K, B, O, P, Q] by the formulation that is the fastest for the layer on a CUDA device.

    ``inputs``: [K, B, C, H, W], or [B, C, H, W] that all lanes share. ``weights``: [K, O, C / groups, h, w].
    ``bias``: [K, O]. The formulations of a layer that is new are measured first. While a graph is being captured
    nothing can be measured, and a layer that is new is a grouped convolution.
    """
    name = _formulation(layer_of(inputs, weights, bias, geometry, twice=twice), inputs.device)
    return FORMULATIONS[name](inputs, weights, bias, geometry)


def _formulation(layer: Layer, device: torch.device) -> str:
    def measured() -> list[Measured]:
        return measure(layer, candidates(layer, _memory(device)), device, replay_milliseconds(device))

    return chosen(_CHOSEN, (layer.kind, device, takes_tf32()), measured, unmeasured="grouped")


def _memory(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).total_memory)

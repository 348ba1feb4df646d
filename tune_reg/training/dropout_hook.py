"""Dropout whose masks are drawn elsewhere, so that a step need not draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tune_reg.models import Dropout


@dataclass
class DropoutHook:
    """A hook of the dropout layers, which themselves are off: it multiplies by masks that are drawn elsewhere."""

    #: The masks of the calls to come; None: nothing is dropped.
    masks: Iterator[Tensor] | None = None
    #: Collects the shapes of the layers' inputs, unless None.
    shapes: list[torch.Size] | None = None

    def register(self, network: nn.Module) -> None:
        """Follow all dropout layers of a network."""
        for layer in network.modules():
            if isinstance(layer, Dropout):
                layer.register_forward_hook(self)

    def input_shapes(self, network: nn.Module, inputs: Tensor) -> list[torch.Size]:
        """The shapes of the inputs of the network's dropout layers for such ``inputs``, in the order of the calls.

        The network is left in evaluation mode.
        """
        network.eval()
        shapes: list[torch.Size] = []
        self.shapes = shapes
        try:
            network(inputs)
        finally:
            self.shapes = None
        return shapes

    def __call__(self, layer: nn.Module, arguments: tuple[Tensor, ...], hidden: Tensor) -> Tensor:
        """The layer's output, times the next mask, in its dtype."""
        del layer, arguments
        if self.shapes is not None:
            self.shapes.append(hidden.shape)
        return hidden if self.masks is None else hidden * next(self.masks).to(hidden.dtype)

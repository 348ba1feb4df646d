"""A model under attack whose passes are replayed as CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from tune_reg.errors import one_line
from tune_reg.training.cuda_graphs import CLOSE, Graphs, nothing_drawn_on_the_host

#: Passes over batches of one shape that run eagerly first: capturing costs about as much.
EAGER_PASSES: Final = 10


class CapturedModel(nn.Module):
    """The outputs of ``model``, whose forward and backward passes are captured where an attack repeats them.

    Passes that no gradient is asked of, and the first of each shape of a batch, run eagerly; so do all of them without
    ``graphs``. A captured pass is compared once with an eager one. Where capturing fails, or the two differ, a warning
    says so, and all passes run eagerly. The model must be in evaluation mode, and its parameters must not change.

    >>> float(CapturedModel(nn.Linear(1, 1), None)(torch.zeros(1, 1)).detach().abs()) < 1
    True
    """

    def __init__(self, model: nn.Module, graphs: Graphs | None) -> None:
        super().__init__()
        self.model, self._graphs = model, graphs
        self.training = model.training
        self._passes: dict[torch.Size, int] = {}
        self._replays: dict[torch.Size, Callable[[Tensor], Tensor]] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, M] of images."""
        shape = images.shape
        if self._graphs is not None and images.requires_grad and torch.is_grad_enabled():
            self._passes[shape] = self._passes.get(shape, 0) + 1
            if shape not in self._replays and self._passes[shape] > EAGER_PASSES:
                self._capture(self._graphs, images)
        if shape in self._replays and images.requires_grad and torch.is_grad_enabled():
            # The next replay writes its outputs and its gradient into the memory of this one. The product's backward
            # pass makes a gradient of its own, which an attack may keep.
            return self._replays[shape](images.mul(1)).clone()
        outputs: Tensor = self.model(images)
        return outputs

    def _capture(self, graphs: Graphs, images: Tensor) -> None:
        try:
            with nothing_drawn_on_the_host():
                replay = graphs.differentiable(partial(self.model), images)  # torch rewrites a module
            if all(map(_close, _with_gradient(replay, images), _with_gradient(self.model, images))):
                self._replays[images.shape] = replay
                return
            why = "its replay differs from the pass itself"
        except RuntimeError as error:
            why = one_line(error)
        self._graphs = None
        self._replays.clear()
        warnings.warn(
            f"no CUDA graph of the passes of this attack ({why}); they run eagerly: slower, with the same results",
            RuntimeWarning,
            stacklevel=2,
        )


def _with_gradient(model: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs of a model, and the gradient by the images of a sum of them with different weights."""
    inputs = images.detach().clone().requires_grad_()
    outputs = model(inputs).clone()
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype, device=outputs.device).view_as(outputs)
    (gradient,) = torch.autograd.grad(outputs, inputs, weights)
    return outputs.detach(), gradient.clone()


def _close(replayed: Tensor, eager: Tensor) -> bool:
    return bool((replayed - eager).abs().max() <= CLOSE * eager.abs().max()) or not bool(eager.isfinite().all())

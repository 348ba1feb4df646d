"""Sparse gradients: a random share of the weights gets no update for a part of the training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import search_spaces.defaults.sparse_gradients
from tune_reg.optimizers.per_parameter import Params, PerParameterOptimizer, check_not_negative
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.masks import is_maskable, random_mask
from tune_reg.regularizers.registry import register
from tune_reg.regularizers.weight_decay_taper import REFERENCE


@register
class SparseGradients(Regularizer):
    """Sparse gradients: between two points of the training, a random share of the weights gets no update.

    The mask is drawn when the share changes, and kept until the share changes again. The whole update is masked, weight
    decay included, and the momentum of masked weights is set to 0. Biases and batch normalisation always learn. Before
    ``begin`` and from ``end`` on, training is dense.
    """

    name = "sparse-gradients"
    formula = "g <- m (g + lambda w), m a fixed random mask with a share q of zeros from begin to end"
    when = "To see whether fewer updates in a part of the training help; needs the optimizer sgd."
    reference = REFERENCE
    hyperparameters = (
        Hyperparameter("sparsity", 0.5, "q, the share of weights without update", low=0.0, high=0.999, off=0.0),
        Hyperparameter("begin", 0.25, "when it begins, as a share of the epochs", low=0.0, high=1.0),
        Hyperparameter("end", 1.0, "when it ends, as a share of the epochs; 1 is never", low=0.0, high=1.0),
        Hyperparameter("weight_decay", 1e-4, "lambda of constant weight decay beside it", low=0.0, off=0.0),
    )
    strength = "sparsity"
    space = search_spaces.defaults.sparse_gradients.DEFAULT
    paper = search_spaces.defaults.sparse_gradients.PAPER

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda`` of weight decay."""
        del progress
        return strengths["weight_decay"]

    def sparsity(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The share ``q`` of resting weights: as given between begin and end, else 0."""
        begun = progress.epoch >= strengths["begin"]
        over = (progress.epoch >= strengths["end"]) & (strengths["end"] < 1)
        return strengths["sparsity"] * (begun & ~over)

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The share ``q`` of resting weights in this epoch."""
        return self.sparsity(strengths, progress)


class SparseGradientSGD(PerParameterOptimizer):
    """SGD in which a random share of the weights gets no update: ``w <- w - lr m buf``, m fixed until q changes.

    ``set_sparsity(q)`` draws a new mask with exactly ``round(q n)`` zeros for each tensor with more than one
    dimension and clears the momentum of what it masks; q = 0 is dense again. The whole update is masked, weight
    decay included. ``generator``: for the masks; the global one if None.

    Source: Adapting Regularization with Learning Rate For Better Generalization in Neural Networks, section on
    sparse gradients, table 1.

    >>> import torch
    >>> from tune_reg import SparseGradientSGD
    >>> model = torch.nn.Linear(4, 3)
    >>> optimizer = SparseGradientSGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, sparsity=0.5)
    >>> before = model.weight.detach().clone()
    >>> loss = model(torch.randn(8, 4)).square().mean()
    >>> loss.backward()
    >>> optimizer.step()
    >>> int((model.weight == before).sum())
    6
    >>> optimizer.set_sparsity(0.0)
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        sparsity: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.generator = generator
        self.sparsity = 0.0
        self.set_sparsity(sparsity)

    @torch.no_grad()
    def set_sparsity(self, q: float) -> None:
        """Let a share ``q`` in [0, 1) of the weights rest; a new mask is drawn only where ``q`` changes."""
        if not 0 <= q < 1:
            raise ValueError(f"0 <= q < 1 must hold, but got q={q}")
        if q == self.sparsity:
            return
        self.sparsity = q
        for group in self.param_groups:
            for parameter in filter(is_maskable, group["params"]):
                state = self.state[parameter]
                state.pop("mask", None)
                if q > 0:
                    state["mask"] = random_mask(parameter, q, self.generator)
                    if "momentum_buffer" in state:
                        state["momentum_buffer"].mul_(state["mask"])

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer with the sparsity, so that a resumed training keeps its masks."""
        return {**super().state_dict(), "sparsity": self.sparsity}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of ``state_dict``, with masks and sparsity."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "sparsity"})
        self.sparsity = state_dict["sparsity"]

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        gradient = parameter.grad + group["weight_decay"] * parameter
        state = self.state[parameter]
        if "mask" in state:
            gradient = gradient * state["mask"]
        gradient = self._with_momentum(parameter, gradient, group["momentum"])
        parameter.add_(gradient, alpha=-group["lr"])

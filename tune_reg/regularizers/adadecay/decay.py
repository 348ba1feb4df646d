"""AdaDecay: each weight decays by how large its gradient is within its layer (Nakamura and Hong 2019)."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import torch
from torch import Tensor

import search_spaces.defaults.adadecay
from tune_reg.optimizers.per_parameter import Params, PerParameterOptimizer, check_not_negative
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register

MODES: Final = ("coupled", "decoupled")

REFERENCE: Final = """@article{nakamura2019adaptive,
  title = {Adaptive Weight Decay for Deep Neural Networks},
  author = {Nakamura, Kensuke and Hong, Byung-Woo},
  journal = {IEEE Access},
  volume = {7},
  pages = {118857--118865},
  year = {2019},
  doi = {10.1109/ACCESS.2019.2937139}
}"""


def decay_factor(gradient: Tensor, alpha: Tensor | float) -> Tensor:
    """The factor theta of AdaDecay: how much each weight of one layer decays, relative to lambda.

    ``theta = 2 / (1 + exp(-alpha g~))`` with ``g~ = (|g| - mean |g|) / std |g|`` over the layer (equations 10
    and 12; population standard deviation). A layer is one parameter tensor. Theta is 1 where the standard deviation
    is 0, and for a layer of one element.

    ``gradient``: of the data loss, any shape and floating dtype. Returns theta in (0, 2), of the same shape.

    >>> decay_factor(torch.tensor([0.0, 3.0]), alpha=1.0)
    tensor([0.5379, 1.4621])
    """
    return _half_factor(gradient, alpha).mul_(2)


def _half_factor(gradient: Tensor, alpha: Tensor | float) -> Tensor:
    """Half of theta, a sigmoid, for callers that multiply it by a number and so need no product with 2."""
    if gradient.numel() < 2:
        return torch.full_like(gradient, 0.5)
    # In place on the result of abs(), because on a processor the time goes into moving memory. In units of the mean,
    # because squares of the smallest gradients are 0. torch.std takes ten times as long as this whole function.
    theta = gradient.abs()
    mean = theta.mean()
    is_positive = mean > 0
    theta.div_(torch.where(is_positive, mean, 1)).sub_(is_positive.to(theta.dtype))
    std = torch.linalg.vector_norm(theta) / math.sqrt(theta.numel())
    # Rounding can leave a tiny deviation where all sizes are equal: below the resolution of the mean it counts as 0.
    spread = std > 4 * torch.finfo(theta.dtype).eps
    return theta.mul_(torch.where(spread, alpha / std, 0)).sigmoid_()


def decayed_gradient(
    gradient: Tensor, parameter: Tensor, weight_decay: Tensor | float, alpha: Tensor | float
) -> Tensor:
    """The gradient of one parameter tensor with AdaDecay, ``g + lambda theta w`` (equation 9 in its coupled form)."""
    return torch.addcmul(gradient, _half_factor(gradient, alpha).mul_(2 * weight_decay), parameter)


WEIGHT_DECAY: Final = Hyperparameter("weight_decay", 5e-4, "lambda, the factor of 1/2 |w|^2", low=0.0, off=0.0)
ALPHA: Final = Hyperparameter("alpha", 4.0, "slope of theta; 0 is constant weight decay")


@register
class AdaDecayRegularizer(Regularizer):
    """AdaDecay, coupled (``lambda theta w`` is added to every gradient, before momentum) or decoupled."""

    name = "adadecay"
    formula = "g <- g + lambda theta w, theta = 2 / (1 + exp(-alpha (|g| - mean |g|) / std |g|)) in each layer"
    when = (
        "Where weight decay helps and the gradients of a layer differ much: weights with large gradients decay "
        "more. Compare it with its three controls before you credit the adaptation."
    )
    reference = REFERENCE
    hyperparameters = (
        WEIGHT_DECAY,
        ALPHA,
        Hyperparameter("mode", "coupled", "decay through the gradient, or on the weight itself", choices=MODES),
    )
    strength = "weight_decay"
    space = search_spaces.defaults.adadecay.DEFAULT
    paper = search_spaces.defaults.adadecay.PAPER

    def gradient(
        self, gradient: Tensor, parameter: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> Tensor:
        """The gradient with decay, ``g + lambda theta w``, in mode "coupled"."""
        del progress, noise
        if self.choices["mode"] != "coupled":
            return gradient
        return decayed_gradient(gradient, parameter, strengths["weight_decay"], strengths["alpha"])

    def update(self, parameter: Tensor, gradient: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The decayed weight, ``(1 - lr lambda theta) w``, in mode "decoupled"."""
        if self.choices["mode"] != "decoupled":
            return parameter
        theta = decay_factor(gradient, strengths["alpha"])
        return parameter * (1 - progress.learning_rate * strengths["weight_decay"] * theta)


class AdaDecay(PerParameterOptimizer):
    """SGD with AdaDecay: ``w <- (1 - lr lambda theta) w - lr g`` (equation 9).

    ``mode="coupled"`` adds ``lambda theta w`` to the gradient before momentum, as ``torch.optim.SGD`` does with
    weight decay; ``alpha=0`` then is ``torch.optim.SGD``. ``mode="decoupled"`` multiplies the weight by
    ``1 - lr lambda theta`` and leaves momentum to the data gradient. All parameters decay, biases too; give
    groups with ``weight_decay=0`` to spare some. Dense gradients of any floating dtype; sparse ones raise.

    Source: Nakamura and Hong, Adaptive Weight Decay for Deep Neural Networks, IEEE Access 2019, eq. 9, 10, 12.

    >>> import torch
    >>> from tune_reg import AdaDecay
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> model = torch.nn.Linear(4, 3)
    >>> optimizer = AdaDecay(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, alpha=4.0)
    >>> inputs, targets = torch.randn(32, 4), torch.randint(3, (32,))
    >>> for _ in range(10):
    ...     optimizer.zero_grad()
    ...     loss = torch.nn.functional.cross_entropy(model(inputs), targets)
    ...     loss.backward()
    ...     _ = optimizer.step()
    >>> bool(loss < 1.1)
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        alpha: float = 4.0,
        mode: Literal["coupled", "decoupled"] = "coupled",
    ) -> None:
        check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if mode not in ("coupled", "decoupled"):
            raise ValueError(f"mode must be 'coupled' or 'decoupled', but got {mode!r}")
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "alpha": alpha, "mode": mode}
        )

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        if gradient.is_sparse:
            raise RuntimeError("AdaDecay needs dense gradients, but got a sparse one: its layer statistics need all")
        lr, decay, alpha = group["lr"], group["weight_decay"], group["alpha"]
        if decay != 0 and group["mode"] == "coupled":
            gradient = decayed_gradient(gradient, parameter, decay, alpha)
        elif decay != 0:
            parameter.mul_(1 - lr * decay * decay_factor(gradient, alpha))
        gradient = self._with_momentum(parameter, gradient, group["momentum"])
        parameter.add_(gradient, alpha=-lr)

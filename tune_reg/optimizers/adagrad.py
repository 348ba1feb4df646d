"""AdaGrad that a CUDA graph can hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, overload

import torch
from torch import Tensor

from tune_reg.optimizers.compiler import unwrapped_step
from tune_reg.optimizers.per_parameter import PerParameterOptimizer

_STEP_OF_TORCH: Final[Callable[..., float | None]] = unwrapped_step(torch.optim.Adagrad)


class AdaGrad(PerParameterOptimizer, torch.optim.Adagrad):
    """``torch.optim.Adagrad``: ``v <- v + g^2``, ``w <- w - lr g / (sqrt(v) + eps)``.

    On a CPU it is torch's fused step. Torch has none for CUDA, and its other steps ask the device for the learning
    rate, which a CUDA graph cannot hold; so there the step is this class's own.

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
    JMLR 2011.
    """

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update all parameters once; ``closure`` evaluates the model anew and returns the loss, which is returned."""
        if all(parameter.is_cpu for group in self.param_groups for parameter in group["params"]):
            return _STEP_OF_TORCH(self, closure)
        return super().step(closure)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None, "only parameters with a gradient are updated"
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state["step"] += 1
        state["sum"].addcmul_(gradient, gradient)
        parameter.sub_(gradient.mul(group["lr"]).div_(state["sum"].sqrt().add_(group["eps"])))

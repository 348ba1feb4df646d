"""The base of optimizers that update one parameter tensor after the other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, overload

import torch
from torch import Tensor

#: What ``torch.optim.Optimizer`` takes: parameters, groups of them as tables, or parameters with their names.
Params: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


def check_not_negative(**settings: float) -> None:
    """Raise ``ValueError`` for the first of the named settings that is negative or not a number.

    >>> check_not_negative(lr=0.1, momentum=-0.5)
    Traceback (most recent call last):
    ValueError: momentum >= 0 must hold, but got momentum=-0.5
    """
    for name, value in settings.items():
        if not value >= 0:
            raise ValueError(f"{name} >= 0 must hold, but got {name}={value}")


class PerParameterOptimizer(torch.optim.Optimizer):
    """A ``torch.optim.Optimizer`` whose step calls ``_update`` for every parameter that has a gradient."""

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update all parameters once; ``closure`` evaluates the model anew and returns the loss, which is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    @abstractmethod
    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        """Update one parameter tensor in place."""

    def _with_momentum(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        """The momentum buffer after ``gradient``, as in ``torch.optim.SGD``; without momentum the gradient itself."""
        if momentum == 0:
            return gradient
        state = self.state[parameter]
        buffer: Tensor | None = state.get("momentum_buffer")
        if buffer is None:
            buffer = state["momentum_buffer"] = gradient.clone()
        else:
            buffer.mul_(momentum).add_(gradient)
        return buffer

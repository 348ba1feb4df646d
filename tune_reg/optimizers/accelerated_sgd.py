"""Accelerated SGD: a long and a short step, and a running average of the long ones (Kidambi et al. 2018)."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from tune_reg.optimizers.per_parameter import Params, PerParameterOptimizer


def accelerated_step(
    parameter: Tensor,
    gradient: Tensor,
    average: Tensor,
    *,
    lr: float | Tensor,
    kappa: float,
    xi: float,
    small_const: float,
) -> tuple[Tensor, Tensor]:
    """One step of Accelerated SGD: the new parameter and the new average, both in the shape of ``parameter``.

    ``A = 1 - c^2 xi / kappa`` and ``B = 1 - A``; the average takes the long step and the parameter the short one:
    ``average' = A average + B (w - (lr kappa / c) g)``, ``w' = c / (c + B) (w - lr g) + B / (c + B) average'``.
    ``lr``: a number, or a tensor of numbers that fits ``parameter``.

    >>> import torch
    >>> w, average = accelerated_step(
    ...     torch.tensor(1.0), torch.tensor(2.0), torch.tensor(1.0), lr=0.1, kappa=2.0, xi=1.0, small_const=1.0
    ... )
    >>> round(float(w), 4), round(float(average), 4)
    (0.8, 0.8)
    """
    b = small_const**2 * xi / kappa
    average = (1 - b) * average + b * (parameter - lr * kappa / small_const * gradient)
    share = small_const / (small_const + b)
    return share * (parameter - lr * gradient) + (1 - share) * average, average


class AcceleratedSGD(PerParameterOptimizer):
    """Accelerated SGD, the "aSGD" of the AdaDecay paper.

    With ``A = 1 - c^2 xi / kappa``, ``B = 1 - A`` and c = ``small_const``, for each parameter w with gradient g:
    ``average <- A average + B (w - (lr kappa / c) g)``, then
    ``w <- c / (c + B) (w - lr g) + B / (c + B) average``; the average begins at w. ``kappa``: how many times the
    short step the long one is; ``xi``: statistical advantage, at most ``kappa / c^2``, and 0 is plain SGD.
    ``weight_decay`` is coupled: ``g <- g + weight_decay w``. Dense gradients of any floating dtype.

    Source: Kidambi, Netrapalli, Jain and Kakade, On the Insufficiency of Existing Momentum Schemes for Stochastic
    Optimization, ICLR 2018.

    >>> import torch
    >>> from tune_reg.optimizers import AcceleratedSGD
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> model = torch.nn.Linear(4, 3)
    >>> optimizer = AcceleratedSGD(model.parameters(), lr=0.01, kappa=1000.0, xi=10.0, weight_decay=5e-4)
    >>> inputs, targets = torch.randn(32, 4), torch.randint(3, (32,))
    >>> for _ in range(10):
    ...     optimizer.zero_grad()
    ...     loss = torch.nn.functional.cross_entropy(model(inputs), targets)
    ...     loss.backward()
    ...     optimizer.step()
    >>> bool(loss < 1.1)
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        kappa: float = 1000.0,
        xi: float = 10.0,
        small_const: float = 0.7,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in (("lr", lr), ("xi", xi), ("weight_decay", weight_decay)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} >= 0 must hold, but got {name}={value}")
        if not 1 <= kappa < math.inf:
            raise ValueError(f"kappa >= 1 must hold, but got kappa={kappa}")
        if not 0 < small_const <= 1:
            raise ValueError(f"0 < small_const <= 1 must hold, but got small_const={small_const}")
        if small_const**2 * xi > kappa:
            raise ValueError(f"xi <= kappa / small_const^2 must hold, but got xi={xi} and kappa={kappa}")
        super().__init__(
            params, {"lr": lr, "kappa": kappa, "xi": xi, "small_const": small_const, "weight_decay": weight_decay}
        )

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        if gradient.is_sparse:
            raise RuntimeError("AcceleratedSGD needs dense gradients, but got a sparse one")
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        if "average" not in state:
            state["average"] = parameter.clone()
        updated, average = accelerated_step(
            parameter,
            gradient,
            state["average"],
            lr=group["lr"],
            kappa=group["kappa"],
            xi=group["xi"],
            small_const=group["small_const"],
        )
        parameter.copy_(updated)
        state["average"].copy_(average)  # in place, where a captured step finds it

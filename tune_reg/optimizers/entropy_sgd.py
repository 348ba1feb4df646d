"""Entropy-SGD: descends the local entropy of the loss, which favours wide valleys (Chaudhari et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, overload

import torch
from torch import Tensor

from tune_reg.optimizers.per_parameter import Params

#: Gradient evaluations in a step by default; the number of the AdaDecay paper.
LANGEVIN_STEPS: Final = 5

#: A number, or one for each of many networks.
_Number = TypeVar("_Number", float, Tensor)

#: Standard normal numbers for a parameter, in its shape and dtype and on its device.
Normal: TypeAlias = Callable[[Tensor], Tensor]


def langevin_step(
    inner: Tensor,
    gradient: Tensor,
    center: Tensor,
    normal: Tensor,
    *,
    langevin_lr: float,
    gamma: float | Tensor,
    noise: float,
) -> Tensor:
    """One Langevin step of x' around its center x: ``x' - eta' (g(x') - gamma (x - x')) + sqrt(eta') noise N(0, 1)``.

    ``inner`` x', ``gradient`` g(x'), ``center`` x and ``normal`` (standard normal numbers) share one shape, which
    ``gamma`` fits where it is a tensor.

    >>> step = langevin_step(
    ...     torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0), torch.tensor(-1.0),
    ...     langevin_lr=0.25, gamma=0.5, noise=0.1,
    ... )
    >>> round(float(step), 4)
    0.7
    """
    return inner - langevin_lr * (gradient - gamma * (center - inner)) + math.sqrt(langevin_lr) * noise * normal


def toward_mean(center: Tensor, mean: Tensor, *, lr: float | Tensor, gamma: float | Tensor) -> Tensor:
    """The end of a step from the center x, toward the mean mu of where x' went: ``x - lr gamma (x - mu)``.

    >>> float(toward_mean(torch.tensor(3.0), torch.tensor(2.0), lr=2.0, gamma=0.25))
    2.5
    """
    return center - lr * gamma * (center - mean)


def scope(step: _Number, gamma: float, gamma_growth: float) -> _Number:
    """How strongly x' is held at x in step t = 0, 1, ...: ``gamma (1 + gamma_growth)^t``.

    >>> scope(0, 0.03, 1e-3), round(scope(1000, 0.03, 1e-3), 4)
    (0.03, 0.0815)
    """
    growth: _Number = (1 + gamma_growth) ** step
    return gamma * growth


class EntropySGD(torch.optim.Optimizer):
    """Entropy-SGD, the "eSGD" of the AdaDecay paper.

    A step from x: x' = mu = x; then L = ``langevin_steps`` times
    ``x' <- x' - eta' (g(x') - gamma (x - x')) + sqrt(eta') noise N(0, 1)`` and
    ``mu <- (1 - averaging) mu + averaging x'``; then ``x <- x - lr gamma (x - mu)``. eta' is ``langevin_lr``; gamma
    grows with the steps t: ``gamma (1 + gamma_growth)^t``. ``weight_decay`` is part of the loss, so of g(x'):
    ``g <- g + weight_decay x'``. A step evaluates L gradients, which a fair budget has to count.
    ``generator``: for the noise; the global one if None. Its state is a part of ``state_dict()``.

    The last line has the factor gamma of the paper, so that ``lr`` has to be in the order of ``1 / gamma``. The
    authors' code has no such factor (and weighs the average by 0.25): ``lr`` here is their learning rate divided by
    gamma, as far as the first steps go.

    Source: Chaudhari et al., Entropy-SGD: Biasing Gradient Descent Into Wide Valleys, ICLR 2017, algorithm 1.

    >>> import torch
    >>> from tune_reg.optimizers import EntropySGD
    >>> model, generator = torch.nn.Linear(4, 3), torch.Generator().manual_seed(0)
    >>> inputs, targets = torch.randn(320, 4, generator=generator), torch.randint(3, (320,), generator=generator)
    >>> optimizer = EntropySGD(model.parameters(), lr=30.0, generator=generator)
    >>> def closure():
    ...     batch = torch.randint(320, (32,), generator=generator)  # a fresh one each time
    ...     optimizer.zero_grad()
    ...     loss = torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch])
    ...     loss.backward()
    ...     return loss.item()
    >>> losses = [optimizer.step(closure) for _ in range(30)]
    >>> losses[-1] < 1.2, optimizer.evaluations_per_step
    (True, 5)
    """

    def __init__(
        self,
        params: Params,
        lr: float,
        *,
        langevin_steps: int = LANGEVIN_STEPS,
        langevin_lr: float = 0.1,
        averaging: float = 0.75,
        noise: float = 1e-4,
        gamma: float = 0.03,
        gamma_growth: float = 1e-3,
        weight_decay: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        if isinstance(langevin_steps, bool) or not isinstance(langevin_steps, int) or langevin_steps < 1:
            raise ValueError(f"langevin_steps must be a whole number >= 1, but got langevin_steps={langevin_steps!r}")
        if not 0 < averaging <= 1:
            raise ValueError(f"0 < averaging <= 1 must hold, but got averaging={averaging}")
        options = {
            "lr": lr,
            "langevin_lr": langevin_lr,
            "noise": noise,
            "gamma": gamma,
            "gamma_growth": gamma_growth,
            "weight_decay": weight_decay,
        }
        for name, value in options.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} >= 0 must hold, but got {name}={value}")
        self._langevin_steps = langevin_steps
        self.generator = generator
        super().__init__(params, {**options, "averaging": averaging, "step": 0})

    @property
    def evaluations_per_step(self) -> int:
        """The number of times that ``step`` calls its closure."""
        return self._langevin_steps

    @overload
    def step(self, closure: None = None, normal: Normal | None = None) -> NoReturn: ...
    @overload
    def step(self, closure: Callable[[], _Number], normal: Normal | None = None) -> _Number: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, normal: Normal | None = None) -> Any:
        """Update all parameters once, and return the loss before the update.

        ``closure`` clears the gradients, evaluates the loss and its gradients on a fresh mini-batch and returns the
        loss; it is called ``evaluations_per_step`` times. ``normal``: called for each parameter that has a gradient
        after each evaluation, in place of drawing from the generator. With it, and tensors on the device as ``lr`` and
        ``step`` of the parameter groups, the host is asked for nothing, so that a CUDA graph can hold the step.
        """
        if closure is None:
            raise TypeError("EntropySGD needs step(closure) with a closure that evaluates a fresh mini-batch")
        normal = normal or self._drawn
        with_groups = [(parameter, group) for group in self.param_groups for parameter in group["params"]]
        centers = [parameter.clone() for parameter, _ in with_groups]
        means = [parameter.clone() for parameter, _ in with_groups]
        losses = []
        for _ in range(self.evaluations_per_step):
            with torch.enable_grad():
                losses.append(closure())
            for (parameter, group), center, mean in zip(with_groups, centers, means, strict=True):
                if parameter.grad is not None:
                    _explore(parameter, group, center, normal)
                    mean.lerp_(parameter, group["averaging"])
        for (parameter, group), center, mean in zip(with_groups, centers, means, strict=True):
            gamma = scope(group["step"], group["gamma"], group["gamma_growth"])
            parameter.copy_(toward_mean(center, mean, lr=group["lr"], gamma=gamma))
        for group in self.param_groups:
            group["step"] += 1
        return losses[0]

    def state_dict(self) -> dict[str, Any]:
        """The state with the generator's, so that a resumed training goes on drawing where it stopped."""
        state = super().state_dict()
        state["param_groups"] = [{**group, "step": int(group["step"])} for group in state["param_groups"]]
        return state if self.generator is None else {**state, "generator": self.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of ``state_dict``, with the generator's."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "generator"})
        if self.generator is not None and "generator" in state_dict:
            # A checkpoint may have been loaded onto a GPU; the state of a generator is bytes on the CPU.
            self.generator.set_state(state_dict["generator"].cpu())

    def __getstate__(self) -> dict[str, Any]:
        """The state for ``copy`` and ``pickle``, with the generator and the number of Langevin steps."""
        kept = {"generator": self.generator, "_langevin_steps": self._langevin_steps}
        return {**super().__getstate__(), **kept}

    def _drawn(self, parameter: Tensor) -> Tensor:
        """Standard normal numbers for a parameter, drawn from the generator."""
        device = parameter.device if self.generator is None else self.generator.device
        normal = torch.randn(parameter.shape, generator=self.generator, dtype=parameter.dtype, device=device)
        return normal.to(parameter.device)


def _explore(parameter: Tensor, group: dict[str, Any], center: Tensor, normal: Normal) -> None:
    """Move ``parameter`` by one Langevin step around its center, in place."""
    gradient = parameter.grad
    assert gradient is not None
    if gradient.is_sparse:
        raise RuntimeError("EntropySGD needs dense gradients, but got a sparse one")
    if group["weight_decay"] != 0:
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
    explored = langevin_step(
        parameter,
        gradient,
        center,
        normal(parameter),
        langevin_lr=group["langevin_lr"],
        gamma=scope(group["step"], group["gamma"], group["gamma_growth"]),
        noise=group["noise"],
    )
    parameter.copy_(explored)

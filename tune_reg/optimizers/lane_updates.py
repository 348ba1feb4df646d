"""The optimizers' updates of many networks at once, for lanes: formulas of whole tensors, which never ask for a value.

Torch's optimizers keep the learning rate and the number of steps of all their parameters on the host. Here both are
tensors with a number for each network, so that a GPU can replay the update, and every network has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from tune_reg.optimizers.accelerated_sgd import accelerated_step
from tune_reg.optimizers.entropy_sgd import langevin_step, scope, toward_mean

#: Numbers that an optimizer keeps for each weight, by the name that its ``state_dict`` has for them: [K, P] each.
Kept: TypeAlias = Mapping[str, Tensor]


class Numbers(NamedTuple):
    """The numbers of a step of K networks: [K, 1] each."""

    learning_rate: Tensor
    #: Of sgd alone.
    momentum: Tensor
    #: Steps with this one, in float64: the bias correction of Adam is the difference of nearly equal numbers.
    steps: Tensor
    #: Constants of the optimizer, the same for all networks: the ``defaults`` of the optimizer of a single run.
    constants: Mapping[str, Any]


class LaneUpdate(NamedTuple):
    """An optimizer for K networks, whose weights are the rows of one tensor [K, P]; each function works in place.

    Rows may have padding, which is 0 in all tensors: each function leaves it 0.
    """

    #: Changes weights and what is kept, after each evaluation of the gradient: weights, gradient, kept, numbers, and
    #: standard normal numbers [K, P] where it ``draws`` them. The gradient is used up.
    update: Callable[[Tensor, Tensor, Kept, Numbers, Tensor | None], None]
    #: What is kept from step to step; all of it begins with 0.
    kept: tuple[str, ...] = ()
    #: Whether the ``state_dict`` has the number of steps with each parameter.
    counts: bool = False
    #: Whether ``update`` needs normal numbers.
    draws: bool = False
    #: What is kept within a step of several evaluations, from the weights before it.
    begin: Callable[[Tensor], dict[str, Tensor]] = lambda _weights: {}
    #: Changes the weights after the last evaluation of a step.
    end: Callable[[Tensor, Kept, Numbers], None] = lambda _weights, _kept, _numbers: None


def sgd(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, _: Tensor | None = None) -> None:
    """SGD with momentum: ``m <- momentum m + g``, ``w <- w - lr m``.

    >>> weights, momenta = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    >>> column = torch.tensor([[0.1], [0.5]])
    >>> sgd(weights, torch.ones(2, 1), {"momentum_buffer": momenta}, Numbers(column, column, column, {}))
    >>> weights.flatten(), momenta.flatten()
    (tensor([0.9000, 1.2500]), tensor([1.0000, 1.5000]))
    """
    momenta = kept["momentum_buffer"]
    torch.addcmul(gradient, momenta, numbers.momentum, out=momenta)  # one pass over memory
    weights.addcmul_(momenta, numbers.learning_rate, value=-1)


def rmsprop(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, _: Tensor | None = None) -> None:
    """RMSprop: ``v <- alpha v + (1 - alpha) g^2``, ``w <- w - lr g / (sqrt(v) + eps)``."""
    squares, alpha = kept["square_avg"], numbers.constants["alpha"]
    squares.mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
    _divided_step(weights, gradient.mul_(numbers.learning_rate), squares.sqrt(), numbers)


def adam(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, _: Tensor | None = None) -> None:
    """Adam: the means m and v of g and g^2, corrected as they begin at 0; ``w <- w - lr m' / (sqrt(v') + eps)``.

    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``; after t steps ``m' = m / (1 - b1^t)`` and
    ``v' = v / (1 - b2^t)``.
    """
    mean, squares = kept["exp_avg"], kept["exp_avg_sq"]
    b1, b2 = numbers.constants["betas"]
    squares.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
    mean.lerp_(gradient, 1 - b1)
    rate = (numbers.learning_rate / (1 - b1**numbers.steps)).to(weights.dtype)
    root = squares.sqrt().div_((1 - b2**numbers.steps).sqrt().to(weights.dtype))
    _divided_step(weights, torch.mul(mean, rate, out=gradient), root, numbers)


def adagrad(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, _: Tensor | None = None) -> None:
    """AdaGrad: ``v <- v + g^2``, ``w <- w - lr g / (sqrt(v) + eps)``."""
    squares = kept["sum"].addcmul_(gradient, gradient)
    _divided_step(weights, gradient.mul_(numbers.learning_rate), squares.sqrt(), numbers)


def accelerated_sgd(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, _: Tensor | None = None) -> None:
    """Accelerated SGD, see ``accelerated_step``; the average begins at the weights as the first step finds them."""
    constants = {name: numbers.constants[name] for name in ("kappa", "xi", "small_const")}
    average = torch.where(numbers.steps == 1, weights, kept["average"])
    updated, average = accelerated_step(weights, gradient, average, lr=numbers.learning_rate, **constants)
    weights.copy_(updated)
    kept["average"].copy_(average)


def entropy_sgd(weights: Tensor, gradient: Tensor, kept: Kept, numbers: Numbers, normal: Tensor | None) -> None:
    """One of the evaluations in a step of Entropy-SGD: weights and their mean move around the weights before it."""
    assert normal is not None
    constants = numbers.constants
    explored = langevin_step(
        weights,
        gradient,
        kept["center"],
        normal,
        langevin_lr=constants["langevin_lr"],
        gamma=_scope(numbers, weights.dtype),
        noise=constants["noise"],
    )
    weights.copy_(explored)
    kept["mean"].lerp_(weights, constants["averaging"])


def entropy_sgd_end(weights: Tensor, kept: Kept, numbers: Numbers) -> None:
    """The end of a step of Entropy-SGD: from where the weights were before it, toward the mean of where they went."""
    gamma = _scope(numbers, weights.dtype)
    weights.copy_(toward_mean(kept["center"], kept["mean"], lr=numbers.learning_rate, gamma=gamma))


def _scope(numbers: Numbers, dtype: torch.dtype) -> Tensor:
    """How strongly weights are held in this step of Entropy-SGD: [K, 1]."""
    constants = numbers.constants
    return scope(numbers.steps - 1, constants["gamma"], constants["gamma_growth"]).to(dtype)


def _divided_step(weights: Tensor, step: Tensor, root: Tensor, numbers: Numbers) -> None:
    """``w <- w - step / (root + eps)``; ``root`` is used up."""
    weights.addcdiv_(step, root.add_(numbers.constants["eps"]), value=-1)


SGD: Final = LaneUpdate(sgd, ("momentum_buffer",))
RMSPROP: Final = LaneUpdate(rmsprop, ("square_avg",), counts=True)
ADAM: Final = LaneUpdate(adam, ("exp_avg", "exp_avg_sq"), counts=True)
ADAGRAD: Final = LaneUpdate(adagrad, ("sum",), counts=True)
ACCELERATED_SGD: Final = LaneUpdate(accelerated_sgd, ("average",))
ENTROPY_SGD: Final = LaneUpdate(
    entropy_sgd,
    draws=True,
    begin=lambda weights: {"center": weights.clone(), "mean": weights.clone()},
    end=entropy_sgd_end,
)

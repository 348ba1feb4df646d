"""AdaDecay and SGD as one kernel: for which regularizers, and whether it gives what torch's operations give."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.func import vmap

from tune_reg.optimizers.fused_sgd import compared
from tune_reg.optimizers.lane_updates import Numbers, sgd
from tune_reg.optimizers.rows import row_layout
from tune_reg.regularizers.adadecay.decay import AdaDecayRegularizer, decayed_gradient
from tune_reg.regularizers.adadecay.randomized import RandomizedDecay
from tune_reg.regularizers.base import Regularizer, Strengths
from tune_reg.regularizers.combination import parts_with_strengths

#: ``adadecay_in_one_pass``: its tensors in place, and its strengths, alphas and noise by name.
OnePass: TypeAlias = Callable[..., None]


class SigmoidDecay(NamedTuple):
    """The hook ``gradient`` of a regularizer that adds ``lambda theta w``, with numbers for each lane: [K] each.

    ``theta = 2 / (1 + exp(-alpha x))``; x is the normalised size of the gradient, or noise where it is ``random``.
    """

    weight_decay: Tensor
    alpha: Tensor
    random: bool


def sigmoid_decay(regularizer: Regularizer, strengths: Strengths) -> SigmoidDecay | None:
    """What the kernel needs to do the work of the hooks ``update`` and ``gradient``, or None where it cannot.

    It can for coupled AdaDecay and for randomized decay, alone or beside parts that fill neither hook. Matched decay
    needs a mean of the factors, shuffled decay an order of the noise, and decoupled AdaDecay changes weights before
    others read them: torch's operations run for them. The tensors are those of ``strengths``.

    >>> from tune_reg.regularizers import regularizer
    >>> numbers = {"weight_decay": torch.ones(3), "alpha": torch.zeros(3)}
    >>> sigmoid_decay(regularizer("adadecay-randomized")(), numbers).random
    True
    >>> sigmoid_decay(regularizer("adadecay-matched")(), numbers)
    """
    parts = parts_with_strengths(regularizer, strengths)
    filling = [(part, of_part) for part, of_part in parts if part.fills("update") or part.fills("gradient")]
    if len(filling) != 1:
        return None
    ((part, of_part),) = filling
    # The classes themselves: one that is derived from them may have another hook.
    is_random = type(part) is RandomizedDecay
    if not is_random and not (type(part) is AdaDecayRegularizer and part.choices["mode"] == "coupled"):
        return None
    return SigmoidDecay(of_part["weight_decay"], of_part["alpha"], is_random)


@cache
def fused_adadecay(device: torch.device, dtype: torch.dtype) -> OnePass | None:
    """The kernel for a device, compared once with torch's operations; None where those must run.

    >>> fused_adadecay(torch.device("cpu"), torch.float32)
    """

    def load() -> OnePass:
        from tune_reg.optimizers.adadecay_kernel import adadecay_in_one_pass

        return adadecay_in_one_pass

    return compared("adadecay", load, lambda kernel: agrees(kernel, device, dtype), device)


def agrees(one_pass: OnePass, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernel gives what torch's operations give, up to rounding, on small tensors of random numbers."""
    source = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64).to(device, dtype)

    # Two layers with padding, and one whose numbers are read several at once.
    layout = row_layout([(1,), (16, 94), (30,)])
    rates, momentum, decays = (drawn(3, 1) for _ in range(3))
    gradients, *others = ([drawn(3, *piece.shape) for piece in layout.pieces] for _ in range(5))
    weights, momenta, noise, masks = map(layout.join, others)
    strengths, alphas = drawn(3), drawn(3)
    masks = (masks > 0).to(dtype)
    close = []
    for x, decay, mask in ((None, None, None), (None, decays, masks), (noise, decays, None)):
        one, other = ([weights.clone(), layout.join(gradients), momenta.clone()] for _ in range(2))
        numbers = {"strengths": strengths, "alphas": alphas, "noise": x}
        one_pass(one[0], gradients, one[2], rates, momentum, decay, mask, **numbers)
        if x is None:
            decayed = vmap(decayed_gradient)
            pairs = zip(gradients, layout.split(weights), strict=True)
            other[1] = layout.join([decayed(g, w, strengths, alphas) for g, w in pairs])
        else:
            theta = 2 * torch.sigmoid(alphas.unsqueeze(1) * x)
            other[1] += strengths.unsqueeze(1) * theta * other[0]
        if decay is not None:
            other[1].addcmul_(other[0], decay)
        if mask is not None:
            other[1].mul_(mask)
        sgd(other[0], other[1], {"momentum_buffer": other[2]}, Numbers(rates, momentum, rates, {}))
        bound = 64 * torch.finfo(dtype).eps
        close += [torch.allclose(one[i], other[i], rtol=bound, atol=bound) for i in (0, 2)]
    return all(close)

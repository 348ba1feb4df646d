"""SGD of many networks as one Triton kernel, which reads and writes each number once.

Torch's operations go over memory three times for it, with coupled decay four times. Imported where Triton is used.
"""

# ruff: noqa: ANN001, ANN201, ANN202, N803 - as Triton writes kernels

from __future__ import annotations

from typing import Any, Final

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Weights that one program of the grid updates.
BLOCK: Final = 1024


@triton.jit  # type: ignore[untyped-decorator]
def descend(  # type: ignore[no-untyped-def]
    weights,
    momenta,
    masks,
    rates,
    momentum,
    decays,
    lane,
    at,
    inside,
    w,
    g,
    DECAYS: tl.constexpr,
    MASKS: tl.constexpr,
):
    """SGD of the weights ``w`` with gradients ``g`` at the addresses ``at``, for the kernels of this folder."""
    if DECAYS:
        g += tl.load(decays + lane) * w
    if MASKS:
        g *= tl.load(masks + at, mask=inside)
    m = tl.load(momentum + lane) * tl.load(momenta + at, mask=inside) + g
    tl.store(momenta + at, m, mask=inside)
    tl.store(weights + at, w - tl.load(rates + lane) * m, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]
    weights,
    gradient,
    momenta,
    masks,
    rates,
    momentum,
    decays,
    n,
    DECAYS: tl.constexpr,
    MASKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    lane = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < n
    at = lane * n + column
    w = tl.load(weights + at, mask=inside)
    g = tl.load(gradient + at, mask=inside)
    descend(weights, momenta, masks, rates, momentum, decays, lane, at, inside, w, g, DECAYS, MASKS)


def sgd_in_one_pass(
    weights: Tensor,
    gradient: Tensor,
    momenta: Tensor,
    rates: Tensor,
    momentum: Tensor,
    decays: Tensor | None,
    masks: Tensor | None,
) -> None:
    """SGD with momentum, and with coupled decay and masks where they are given, in place.

    ``g <- mask (g + decay w)``, ``m <- momentum m + g``, ``w <- w - rate m``; weights, gradient, momenta and masks
    [K, P], rates, momentum and decays [K, 1], all contiguous, of one dtype and on one device.
    """
    lanes, n = weights.shape

    def grid(settings: dict[str, Any]) -> tuple[int, int]:
        return triton.cdiv(n, settings["BLOCK"]), lanes

    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        _kernel[grid](
            weights,
            gradient,
            momenta,
            weights if masks is None else masks,
            rates,
            momentum,
            rates if decays is None else decays,
            n,
            DECAYS=decays is not None,
            MASKS=masks is not None,
            BLOCK=BLOCK,
        )

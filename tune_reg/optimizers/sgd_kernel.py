"""SGD of many networks as a Triton kernel, which reads and writes each number once.

Torch's operations go over memory three times for it, with coupled decay four times, and once more to write the
gradients of all layers into one tensor; the kernel is launched for each layer, and reads its gradient where it lies.
Imported where Triton is used.
"""

# ruff: noqa: ANN001, ANN201, ANN202, N803 - as Triton writes kernels

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import triton
import triton.language as tl
from torch import Tensor

from tune_reg.optimizers.rows import row_layout

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
    begin,
    size,
    padded,
    width,
    DECAYS: tl.constexpr,
    MASKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    lane = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    # Up to the end of the padding, which stays 0: several numbers are read at once where all of them are inside.
    inside = column < padded
    at = lane * width + begin + column
    w = tl.load(weights + at, mask=inside)
    g = tl.load(gradient + lane * size + column, mask=column < size, other=0)
    descend(weights, momenta, masks, rates, momentum, decays, lane, at, inside, w, g, DECAYS, MASKS)


def sgd_in_one_pass(
    weights: Tensor,
    gradients: Sequence[Tensor],
    momenta: Tensor,
    rates: Tensor,
    momentum: Tensor,
    decays: Tensor | None,
    masks: Tensor | None,
) -> None:
    """SGD with momentum, and with coupled decay and masks where they are given, in place.

    ``g <- mask (g + decay w)``, ``m <- momentum m + g``, ``w <- w - rate m``; weights, momenta and masks [K, P] are
    rows laid out by ``row_layout``, gradients the [K, *shape] of each parameter, rates, momentum and decays [K, 1]; of
    one dtype and on one device, and all but gradients contiguous.
    """
    layout = row_layout(gradient.shape[1:] for gradient in gradients)
    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        for gradient, piece in zip(gradients, layout.pieces, strict=True):
            _kernel[triton.cdiv(piece.padded, BLOCK), len(weights)](
                weights,
                gradient.contiguous(),
                momenta,
                weights if masks is None else masks,
                rates,
                momentum,
                rates if decays is None else decays,
                piece.begin,
                piece.size,
                piece.padded,
                layout.width,
                DECAYS=decays is not None,
                MASKS=masks is not None,
                BLOCK=BLOCK,
            )

"""SGD of many networks with AdaDecay as Triton kernels: one pass over the gradients, and one over everything.

The statistics of each layer must be there before its first weight changes, so the gradients are read twice, where they
lie, by kernels that are launched for each layer. Torch's operations go over memory some twenty times. Imported where
Triton is used.
"""

# ruff: noqa: ANN001, ANN202, N803 - as Triton writes kernels

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from tune_reg.optimizers.rows import row_layout
from tune_reg.optimizers.sgd_kernel import BLOCK, descend

#: Blocks of a layer whose statistics are added up at a time.
_BLOCKS: Final = 128


class Blocks(NamedTuple):
    """The blocks of weights that one program each reads, none of which reaches into two layers: int64."""

    #: [layers] The number of weights of each.
    sizes: Tensor
    #: [layers + 1] The first block of each layer, and the number of blocks.
    firsts: Tensor


@cache
def blocks_of(sizes: tuple[int, ...], device: torch.device) -> Blocks:
    """The blocks of layers of ``sizes``; kept, as a graph reads them.

    >>> [tensor.tolist() for tensor in blocks_of((3, 1500), torch.device("cpu"))]
    [[3, 1500], [0, 1, 3]]
    """
    firsts = [0, *accumulate(triton.cdiv(size, BLOCK) for size in sizes)]
    return Blocks(torch.tensor(sizes, device=device), torch.tensor(firsts, device=device))


# Triton would compile a kernel anew where one of these numbers is 1 or a multiple of 16, which makes nothing faster.
@triton.jit(do_not_specialize=["first", "blocks"])  # type: ignore[untyped-decorator]
def _block_statistics(gradient, means, squares, first, size, blocks, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    block, lane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    column = block * BLOCK + tl.arange(0, BLOCK)
    inside = column < size
    length = tl.abs(tl.load(gradient + lane * size + column, mask=inside, other=0))
    mean = tl.sum(length, 0) / tl.minimum(size - block * BLOCK, BLOCK).to(length.dtype)
    # In units of the mean, because squares of the smallest gradients are 0.
    away = tl.where(inside, (length - mean) / tl.where(mean > 0, mean, 1), 0)
    at = lane * blocks + first + block
    tl.store(means + at, mean)
    tl.store(squares + at, tl.sum(away * away, 0))


@triton.jit  # type: ignore[untyped-decorator]
def _layer_statistics(  # type: ignore[no-untyped-def]
    block_means,
    block_squares,
    alphas,
    means,
    slopes,
    sizes,
    firsts,
    blocks,
    EPS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    layer, lane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, last = tl.load(firsts + layer), tl.load(firsts + layer + 1)
    size = tl.load(sizes + layer)
    across = tl.arange(0, BLOCKS)
    total = tl.zeros([BLOCKS], tl.float64)
    for start in range(first, last, BLOCKS):
        block = start + across
        inside = block < last
        count = tl.minimum(size - (block - first) * BLOCK, BLOCK).to(tl.float64)
        total += count * tl.load(block_means + lane * blocks + block, mask=inside, other=0)
    mean = tl.sum(total, 0) / size.to(tl.float64)
    unit = tl.where(mean > 0, mean, 1)
    squares = tl.zeros([BLOCKS], tl.float64)
    for start in range(first, last, BLOCKS):
        block = start + across
        inside = block < last
        count = tl.where(inside, tl.minimum(size - (block - first) * BLOCK, BLOCK), 0).to(tl.float64)
        of_block = tl.load(block_means + lane * blocks + block, mask=inside, other=0).to(tl.float64)
        within = tl.load(block_squares + lane * blocks + block, mask=inside, other=0)
        away = (of_block - mean) / unit
        squares += (of_block / unit) * (of_block / unit) * within + count * away * away
    std = tl.sqrt(tl.sum(squares, 0) / size.to(tl.float64))
    at = lane * tl.num_programs(0) + layer
    tl.store(means + at, mean)
    # As in ``decay_factor``: a deviation below the resolution of the mean counts as 0.
    spread = std > 4 * EPS
    tl.store(slopes + at, tl.where(spread, tl.load(alphas + lane) / tl.where(spread, std, 1), 0))


@triton.jit(do_not_specialize=["layer", "layers"])  # type: ignore[untyped-decorator]
def _step(  # type: ignore[no-untyped-def]
    weights,
    gradient,
    momenta,
    masks,
    rates,
    momentum,
    decays,
    strengths,
    alphas,
    noise,
    means,
    slopes,
    layer,
    layers,
    begin,
    size,
    padded,
    width,
    NOISE: tl.constexpr,
    DECAYS: tl.constexpr,
    MASKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    lane = tl.program_id(1).to(tl.int64)
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside, is_weight = column < padded, column < size
    at = lane * width + begin + column
    w = tl.load(weights + at, mask=inside)
    g = tl.load(gradient + lane * size + column, mask=is_weight, other=0)
    if NOISE:
        x = tl.load(alphas + lane) * tl.load(noise + at, mask=inside)
    else:
        of_layer = lane * layers + layer
        mean = tl.load(means + of_layer)
        x = tl.load(slopes + of_layer) * ((tl.abs(g) - mean) / tl.where(mean > 0, mean, 1))
    # The padding stays 0 where the statistics of a lane that has diverged are not finite.
    g += tl.where(is_weight, 2 * tl.load(strengths + lane) * tl.sigmoid(x) * w, 0)
    descend(weights, momenta, masks, rates, momentum, decays, lane, at, inside, w, g, DECAYS, MASKS)


def adadecay_in_one_pass(
    weights: Tensor,
    gradients: Sequence[Tensor],
    momenta: Tensor,
    rates: Tensor,
    momentum: Tensor,
    decays: Tensor | None,
    masks: Tensor | None,
    *,
    strengths: Tensor,
    alphas: Tensor,
    noise: Tensor | None,
) -> None:
    """``sgd_in_one_pass`` with ``g <- g + lambda theta w`` before it, in place: AdaDecay, or its randomized control.

    ``theta = 2 / (1 + exp(-alpha x))``, where x is ``noise`` [K, P], or without noise ``(|g| - mean |g|) / std |g|`` in
    each layer. ``strengths``: lambda [K]; ``alphas`` [K].
    """
    lanes, layers = len(weights), len(gradients)
    layout = row_layout(gradient.shape[1:] for gradient in gradients)
    contiguous = [gradient.contiguous() for gradient in gradients]
    means, slopes = weights.new_empty(2, lanes, layers).unbind()
    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        if noise is None:
            _statistics(contiguous, alphas, means, slopes)
        for layer, (gradient, piece) in enumerate(zip(contiguous, layout.pieces, strict=True)):
            _step[triton.cdiv(piece.padded, BLOCK), lanes](
                weights,
                gradient,
                momenta,
                weights if masks is None else masks,
                rates,
                momentum,
                rates if decays is None else decays,
                strengths,
                alphas,
                weights if noise is None else noise,
                means,
                slopes,
                layer,
                layers,
                piece.begin,
                piece.size,
                piece.padded,
                layout.width,
                NOISE=noise is not None,
                DECAYS=decays is not None,
                MASKS=masks is not None,
                BLOCK=BLOCK,
            )


def _statistics(gradients: Sequence[Tensor], alphas: Tensor, means: Tensor, slopes: Tensor) -> None:
    """Write the mean of each layer's ``|g|``, and alpha over its deviation in units of the mean: [K, layers]."""
    lanes = len(means)
    sizes = tuple(gradient[0].numel() for gradient in gradients)
    table, first = blocks_of(sizes, means.device), 0
    counts = [triton.cdiv(size, BLOCK) for size in sizes]
    of_blocks = means.new_empty(2, lanes, sum(counts))
    for gradient, size, count in zip(gradients, sizes, counts, strict=True):
        _block_statistics[count, lanes](gradient, *of_blocks, first, size, sum(counts), BLOCK=BLOCK)
        first += count
    _layer_statistics[len(gradients), lanes](
        *of_blocks,
        alphas,
        means,
        slopes,
        table.sizes,
        table.firsts,
        sum(counts),
        EPS=torch.finfo(means.dtype).eps,
        BLOCK=BLOCK,
        BLOCKS=_BLOCKS,
    )

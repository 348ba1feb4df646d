"""SGD of many networks with AdaDecay as Triton kernels: one pass over the gradients, and one over everything.

The statistics of each layer must be there before its first weight changes, so the gradients are read twice. Torch's
operations go over memory some twenty times. Imported where Triton is used.
"""

# ruff: noqa: ANN001, ANN202, N803 - as Triton writes kernels

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from tune_reg.optimizers.sgd_kernel import BLOCK, descend

#: Blocks of a layer whose statistics are added up at a time.
_BLOCKS: Final = 128


class Blocks(NamedTuple):
    """The pieces of a row of weights that one program each updates, none of which reaches into two layers: int64."""

    #: [pieces] The first weight of each, and the first that is no longer in it.
    begins: Tensor
    ends: Tensor
    #: [pieces] The layer of each.
    layers: Tensor
    #: [layers + 1] The first piece of each layer, and the number of pieces.
    firsts: Tensor


@cache
def blocks_of(sizes: tuple[int, ...], device: torch.device) -> Blocks:
    """The pieces of a row that holds layers of ``sizes`` one after the other; kept, as a graph reads them.

    >>> [tensor.tolist() for tensor in blocks_of((3, 1500), torch.device("cpu"))]
    [[0, 3, 1027], [3, 1027, 1503], [0, 1, 1], [0, 1, 3]]
    """
    begins: list[int] = []
    ends: list[int] = []
    layers: list[int] = []
    firsts, end = [0], 0
    for layer, size in enumerate(sizes):
        begin, end = end, end + size
        for piece in range(begin, end, BLOCK):
            begins.append(piece)
            ends.append(min(piece + BLOCK, end))
            layers.append(layer)
        firsts.append(len(begins))
    return Blocks(*(torch.tensor(column, device=device) for column in (begins, ends, layers, firsts)))


@triton.jit  # type: ignore[untyped-decorator]
def _block_statistics(gradient, means, squares, begins, ends, n, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    block, lane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    begin, end = tl.load(begins + block), tl.load(ends + block)
    column = begin + tl.arange(0, BLOCK)
    inside = column < end
    size = tl.abs(tl.load(gradient + lane * n + column, mask=inside, other=0))
    mean = tl.sum(size, 0) / (end - begin).to(size.dtype)
    # In units of the mean, because squares of the smallest gradients are 0.
    away = tl.where(inside, (size - mean) / tl.where(mean > 0, mean, 1), 0)
    at = lane * tl.num_programs(0) + block
    tl.store(means + at, mean)
    tl.store(squares + at, tl.sum(away * away, 0))


@triton.jit
def _counts(begins, ends, block, inside):  # type: ignore[no-untyped-def]
    counts = tl.load(ends + block, mask=inside, other=0) - tl.load(begins + block, mask=inside, other=0)
    return counts.to(tl.float64)


@triton.jit  # type: ignore[untyped-decorator]
def _layer_statistics(  # type: ignore[no-untyped-def]
    block_means,
    block_squares,
    alphas,
    means,
    slopes,
    begins,
    ends,
    firsts,
    pieces,
    EPS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    layer, lane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, last = tl.load(firsts + layer), tl.load(firsts + layer + 1)
    across = tl.arange(0, BLOCKS)
    weights, total = tl.zeros([BLOCKS], tl.float64), tl.zeros([BLOCKS], tl.float64)
    for start in range(first, last, BLOCKS):
        block = start + across
        inside = block < last
        count = _counts(begins, ends, block, inside)
        weights += count
        total += count * tl.load(block_means + lane * pieces + block, mask=inside, other=0)
    size = tl.sum(weights, 0)
    mean = tl.sum(total, 0) / size
    unit = tl.where(mean > 0, mean, 1)
    squares = tl.zeros([BLOCKS], tl.float64)
    for start in range(first, last, BLOCKS):
        block = start + across
        inside = block < last
        count = _counts(begins, ends, block, inside)
        of_block = tl.load(block_means + lane * pieces + block, mask=inside, other=0).to(tl.float64)
        within = tl.load(block_squares + lane * pieces + block, mask=inside, other=0)
        away = (of_block - mean) / unit
        squares += (of_block / unit) * (of_block / unit) * within + count * away * away
    std = tl.sqrt(tl.sum(squares, 0) / size)
    at = lane * tl.num_programs(0) + layer
    tl.store(means + at, mean)
    # As in ``decay_factor``: a deviation below the resolution of the mean counts as 0.
    spread = std > 4 * EPS
    tl.store(slopes + at, tl.where(spread, tl.load(alphas + lane) / tl.where(spread, std, 1), 0))


@triton.jit  # type: ignore[untyped-decorator]
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
    begins,
    ends,
    layers,
    n,
    number_of_layers,
    NOISE: tl.constexpr,
    DECAYS: tl.constexpr,
    MASKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    block, lane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    column = tl.load(begins + block) + tl.arange(0, BLOCK)
    inside = column < tl.load(ends + block)
    at = lane * n + column
    w = tl.load(weights + at, mask=inside)
    g = tl.load(gradient + at, mask=inside)
    if NOISE:
        x = tl.load(alphas + lane) * tl.load(noise + at, mask=inside)
    else:
        of_layer = lane * number_of_layers + tl.load(layers + block)
        mean = tl.load(means + of_layer)
        x = tl.load(slopes + of_layer) * ((tl.abs(g) - mean) / tl.where(mean > 0, mean, 1))
    g += 2 * tl.load(strengths + lane) * tl.sigmoid(x) * w
    descend(weights, momenta, masks, rates, momentum, decays, lane, at, inside, w, g, DECAYS, MASKS)


def adadecay_in_one_pass(
    weights: Tensor,
    gradient: Tensor,
    momenta: Tensor,
    rates: Tensor,
    momentum: Tensor,
    decays: Tensor | None,
    masks: Tensor | None,
    *,
    layers: tuple[int, ...],
    strengths: Tensor,
    alphas: Tensor,
    noise: Tensor | None,
) -> None:
    """``sgd_in_one_pass`` with ``g <- g + lambda theta w`` before it, in place: AdaDecay, or its randomized control.

    ``theta = 2 / (1 + exp(-alpha x))``, where x is ``noise`` [K, P], or without noise ``(|g| - mean |g|) / std |g|`` in
    each layer. ``layers``: the number of weights of each, in their order; ``strengths``: lambda [K]; ``alphas`` [K].
    """
    lanes, n = weights.shape
    blocks = blocks_of(layers, weights.device)
    pieces = len(blocks.begins)
    means, slopes = weights.new_empty(2, lanes, len(layers)).unbind()
    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        if noise is None:
            of_blocks = weights.new_empty(2, lanes, pieces)
            _block_statistics[pieces, lanes](gradient, *of_blocks, blocks.begins, blocks.ends, n, BLOCK=BLOCK)
            _layer_statistics[len(layers), lanes](
                *of_blocks,
                alphas,
                means,
                slopes,
                blocks.begins,
                blocks.ends,
                blocks.firsts,
                pieces,
                EPS=torch.finfo(weights.dtype).eps,
                BLOCKS=_BLOCKS,
            )
        _step[pieces, lanes](
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
            blocks.begins,
            blocks.ends,
            blocks.layers,
            n,
            len(layers),
            NOISE=noise is not None,
            DECAYS=decays is not None,
            MASKS=masks is not None,
            BLOCK=BLOCK,
        )

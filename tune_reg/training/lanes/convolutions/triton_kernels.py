"""Two Triton kernels: K convolutions with own weights, and the gradients of their weights.

Each is a product of matrices whose entries are read where they lie in the images, without writing patches (an implicit
GEMM). A lane is one layer of the grid, so that the lanes' weights stay apart. Images are [B, H, W, C] of a lane,
weights [O, E] with E = h w C entries, outputs [B, P, Q, O], so that the C numbers of a pixel are read at once.
``entries`` says where an entry of the weights meets the images, from the first pixel that it is multiplied with, which
``corners`` says for each pixel of the outputs; ``RUN``: both are multiples of it, and so many entries lie side by side.
Tiles that stick out meet the last entries again, and are multiplied by 0 or not written. Sums are float32, for float64
float64.

Import this file only where Triton is installed.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def outputs_kernel(  # type: ignore[no-untyped-def]
    images,
    weights,
    bias,
    entries,
    corners,
    outputs,
    pixels,
    image_lane,
    weight_lane,
    output_lane,
    E: tl.constexpr,
    O: tl.constexpr,
    RUN: tl.constexpr,
    BIASED: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """outputs[pixel, o] = the sum over e of images[corners[pixel] + entries[e]] weights[o, e].

    ``pixels``: B P Q. Where ``BIASED``, bias[o] is added.
    """
    lane = tl.program_id(2).to(tl.int64)
    images += lane * image_lane
    weights += lane * weight_lane
    outputs += lane * output_lane
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)  # of [B, P, Q]
    o = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    corner = tl.multiple_of(tl.load(corners + pixel), RUN)
    sums = tl.zeros((PIXELS, CHANNELS), SUMS)
    for first in range(0, E, DEPTH):
        entry = first + tl.arange(0, DEPTH)
        patch = _patch(images, corner, entries + entry, RUN)
        kernel = tl.load(weights + (o * E)[:, None] + entry[None, :], (o < O)[:, None] & (entry < E)[None, :], 0.0)
        sums = _add_product(sums, patch.to(FACTORS), tl.trans(kernel.to(FACTORS)), PRECISION)
    if BIASED:
        sums += tl.load(bias + lane * O + o, o < O, 0.0).to(SUMS)[None, :]
    place = (pixel * O)[:, None] + o[None, :]
    tl.store(outputs + place, sums.to(outputs.dtype.element_ty), (pixel < pixels)[:, None] & (o < O)[None, :])


@triton.jit  # type: ignore[untyped-decorator]
def weights_kernel(  # type: ignore[no-untyped-def]
    gradients,
    images,
    entries,
    corners,
    parts,
    pixels,
    of_part,
    gradient_lane,
    image_lane,
    E: tl.constexpr,
    O: tl.constexpr,
    RUN: tl.constexpr,
    EVEN: tl.constexpr,
    CHANNELS: tl.constexpr,
    ENTRIES: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """parts[s, o, e] = a sum over pixels of gradients[pixel, o] images[corners[pixel] + entries[e]].

    There are few weights and many pixels to sum over, so each program takes ``of_part`` of the ``pixels`` [B, P, Q],
    and the parts [K, S, O, E] are added afterwards, in a fixed order. ``EVEN``: whether ``pixels`` is a multiple of
    ``DEPTH``.
    """
    lane = tl.program_id(2).to(tl.int64)
    part = tl.program_id(1)
    gradients += lane * gradient_lane
    images += lane * image_lane
    parts += (lane * tl.num_programs(1) + part) * (O * E)
    across = (E + ENTRIES - 1) // ENTRIES
    o = tl.program_id(0) // across * CHANNELS + tl.arange(0, CHANNELS)
    entry = tl.program_id(0) % across * ENTRIES + tl.arange(0, ENTRIES)
    sums = tl.zeros((CHANNELS, ENTRIES), SUMS)
    for first in range(part * of_part, tl.minimum((part + 1) * of_part, pixels), DEPTH):
        pixel = first + tl.arange(0, DEPTH)  # of [B, P, Q]
        exists = (o < O)[None, :] if EVEN else (pixel < pixels)[:, None] & (o < O)[None, :]
        gradient = tl.load(gradients + (pixel * O)[:, None] + o[None, :], exists, 0.0)
        corner = tl.multiple_of(tl.load(corners + pixel), RUN)
        patch = _patch(images, corner, entries + entry, RUN)
        sums = _add_product(sums, tl.trans(gradient.to(FACTORS)), patch.to(FACTORS), PRECISION)
    place = (o * E)[:, None] + entry[None, :]
    tl.store(parts + place, sums, (o < O)[:, None] & (entry < E)[None, :])


@triton.jit  # type: ignore[untyped-decorator]
def _patch(images: tl.tensor, corner: tl.tensor, entries: tl.tensor, RUN: tl.constexpr) -> tl.tensor:
    """The numbers of the images [pixels, entries] at their corners plus what ``entries`` points to."""
    of_entry = tl.load(entries)
    if RUN == 1:  # neighbouring threads read neighbouring pixels, as no two entries need lie side by side
        return tl.trans(tl.load(images + of_entry[:, None] + corner[None, :]))
    of_entry = tl.max_contiguous(tl.multiple_of(of_entry, RUN), RUN)
    return tl.load(images + (corner[:, None] + of_entry[None, :]))


@triton.jit  # type: ignore[untyped-decorator]
def _add_product(sums: tl.tensor, left: tl.tensor, right: tl.tensor, PRECISION: tl.constexpr) -> tl.tensor:
    """``sums + left @ right``, where ``PRECISION`` is "tf32x3" by three products of tensor cores.

    A factor is a TF32 number and a rest. The product of the two rests is left out, 2^-22 of the whole; what is not
    finite makes sums that are not. Tensor cores cut off what they add, always towards 0, so that they add no more than
    one tile by themselves. Triton's own "tf32x3" lets them add all, and takes more steps to halve a factor.

    Source: Ootomo and Yokota, Recovering single precision accuracy from Tensor Cores while surpassing the FP32
    theoretical peak performance, 2022.
    """
    if PRECISION == "tf32x3":
        left_high, right_high = _tf32(left), _tf32(right)
        product = tl.dot(left - left_high, right_high, input_precision="tf32", out_dtype=sums.dtype)
        product = tl.dot(left_high, right - right_high, product, input_precision="tf32", out_dtype=sums.dtype)
        return sums + tl.dot(left_high, right_high, product, input_precision="tf32", out_dtype=sums.dtype)
    return tl.dot(left, right, sums, input_precision=PRECISION, out_dtype=sums.dtype)


@triton.jit  # type: ignore[untyped-decorator]
def _tf32(factor: tl.tensor) -> tl.tensor:
    """float32 numbers rounded to TF32, which has 13 bits less."""
    bits = factor.to(tl.int32, bitcast=True)
    return ((bits + 4096) & -8192).to(tl.float32, bitcast=True)

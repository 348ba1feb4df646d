"""Two Triton kernels: K convolutions with own weights, and the gradients of their weights.

Each is a product of matrices whose entries are read where they lie in the images, without writing patches (an implicit
GEMM). A lane is one layer of the grid, so that the lanes' weights stay apart. Neighbouring threads read and write
neighbouring pixels. Images are [B, C, H, W] of a lane, weights [O, E] with E = C h w entries, outputs [B, O, P, Q].
``entries`` says where an entry of the weights meets the images, from the first pixel that it is multiplied with: tiles
that stick out meet the last one again, and are multiplied by 0 or not written. Sums are float32, for float64 float64.

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
    AREA: tl.constexpr,
    BIASED: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """outputs[b, o, p, q] = the sum over e of images[b, entries[e] + p stride_y W + q stride_x] weights[o, e].

    ``pixels``: B P Q. ``IMAGE``: C H W. Where ``BIASED``, bias[o] is added.
    """
    lane = tl.program_id(2).to(tl.int64)
    images += lane * image_lane
    weights += lane * weight_lane
    outputs += lane * output_lane
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)  # of [B, P, Q]
    o = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    written = (o < O)[:, None] & (pixel < pixels)[None, :]
    o = tl.minimum(o, O - 1)
    corner = tl.load(corners + pixel)
    sums = tl.zeros((CHANNELS, PIXELS), SUMS)
    for first in range(0, E, DEPTH):
        entry = first + tl.arange(0, DEPTH)
        patch = tl.load(images + tl.load(entries + entry)[:, None] + corner[None, :])
        kernel = tl.load(weights + (o * E)[:, None] + entry[None, :], (entry < E)[None, :], 0.0)
        sums = _add_product(sums, kernel.to(FACTORS), patch.to(FACTORS), PRECISION)
    if BIASED:
        sums += tl.load(bias + lane * O + o).to(SUMS)[:, None]
    place = (o * AREA)[:, None] + (pixel // AREA * (O * AREA) + pixel % AREA)[None, :]
    tl.store(outputs + place, sums.to(outputs.dtype.element_ty), written)


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
    AREA: tl.constexpr,
    EVEN: tl.constexpr,
    CHANNELS: tl.constexpr,
    ENTRIES: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """parts[s, o, e] = a sum over b, p, q of gradients[b, o, p, q] images[b, entries[e] + p stride_y W + q stride_x].

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
    written = (o < O)[:, None] & (entry < E)[None, :]
    o = tl.minimum(o, O - 1)
    of_entry = tl.load(entries + entry)
    sums = tl.zeros((CHANNELS, ENTRIES), SUMS)
    for first in range(part * of_part, tl.minimum((part + 1) * of_part, pixels), DEPTH):
        pixel = first + tl.arange(0, DEPTH)  # of [B, P, Q]
        exists = pixel < pixels
        place = (o * AREA)[:, None] + (pixel // AREA * (O * AREA) + pixel % AREA)[None, :]
        gradient = tl.load(gradients + place) if EVEN else tl.load(gradients + place, exists[None, :], 0.0)
        patch = tl.load(images + of_entry[:, None] + tl.load(corners + pixel)[None, :])
        sums = _add_product(sums, gradient.to(FACTORS), tl.trans(patch.to(FACTORS)), PRECISION)
    place = (o * E)[:, None] + entry[None, :]
    tl.store(parts + place, sums, written)


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

"""Three Triton kernels: K convolutions with own weights, and their products with the output's gradient.

Each is a product of matrices whose entries are read where they lie in the images, without writing patches (an implicit
GEMM). A lane is one layer of the grid, so that the lanes' weights stay apart. Sums are float32, for float64 float64.
Images are [B, C, H, W] of a lane, weights [O, C, h, w], outputs [B, O, P, Q]. Sizes that are no multiples of a tile,
strides, padding and dilation are masks.

Import this file only where Triton is installed.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def outputs_kernel(  # type: ignore[no-untyped-def]
    images,
    weights,
    outputs,
    batch,
    image_lane,
    weight_lane,
    output_lane,
    C: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    O: tl.constexpr,
    P: tl.constexpr,
    Q: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    stride_y: tl.constexpr,
    stride_x: tl.constexpr,
    pad_y: tl.constexpr,
    pad_x: tl.constexpr,
    step_y: tl.constexpr,
    step_x: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """outputs[b, o, p, q] = the sum over c, i, j of images[b, c, p stride - pad + i step, .] weights[o, c, i, j]."""
    lane = tl.program_id(2).to(tl.int64)
    images += lane * image_lane
    weights += lane * weight_lane
    outputs += lane * output_lane
    pixel = tl.program_id(0) * ROWS + tl.arange(0, ROWS)  # of [B, P, Q]
    o = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    b, p, q = pixel // (P * Q), pixel // Q % P, pixel % Q
    sums = tl.zeros((ROWS, COLUMNS), SUMS)
    for first in range(0, C * h * w, DEPTH):
        entry = first + tl.arange(0, DEPTH)  # of [C, h, w]
        c, i, j = entry // (h * w), entry // w % h, entry % w
        y = (p * stride_y - pad_y)[:, None] + (i * step_y)[None, :]
        x = (q * stride_x - pad_x)[:, None] + (j * step_x)[None, :]
        inside = (pixel < batch * P * Q)[:, None] & (entry < C * h * w)[None, :]
        inside = inside & (y >= 0) & (y < H) & (x >= 0) & (x < W)
        patch = tl.load(images + (b * (C * H * W))[:, None] + (c * (H * W))[None, :] + y * W + x, inside, 0.0)
        kernel = tl.load(
            weights + (o * (C * h * w))[None, :] + entry[:, None],
            (entry < C * h * w)[:, None] & (o < O)[None, :],
            0.0,
        )
        sums += tl.dot(patch.to(FACTORS), kernel.to(FACTORS), input_precision=PRECISION, out_dtype=SUMS)
    place = (b * (O * P * Q) + p * Q + q)[:, None] + (o * (P * Q))[None, :]
    tl.store(outputs + place, sums.to(outputs.dtype.element_ty), (pixel < batch * P * Q)[:, None] & (o < O)[None, :])


@triton.jit  # type: ignore[untyped-decorator]
def images_kernel(  # type: ignore[no-untyped-def]
    gradients,
    weights,
    images,
    batch,
    gradient_lane,
    weight_lane,
    image_lane,
    C: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    O: tl.constexpr,
    P: tl.constexpr,
    Q: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    stride_y: tl.constexpr,
    stride_x: tl.constexpr,
    pad_y: tl.constexpr,
    pad_x: tl.constexpr,
    step_y: tl.constexpr,
    step_x: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """images[b, c, y, x] = the sum over o, i, j of gradients[b, o, p, q] weights[o, c, i, j].

    p and q are those with p stride - pad + i step = y and q stride - pad + j step = x, where there are any.
    """
    lane = tl.program_id(2).to(tl.int64)
    gradients += lane * gradient_lane
    weights += lane * weight_lane
    images += lane * image_lane
    pixel = tl.program_id(0) * ROWS + tl.arange(0, ROWS)  # of [B, H, W]
    c = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    b, y, x = pixel // (H * W), pixel // W % H, pixel % W
    sums = tl.zeros((ROWS, COLUMNS), SUMS)
    for first in range(0, O * h * w, DEPTH):
        entry = first + tl.arange(0, DEPTH)  # of [O, h, w]
        o, i, j = entry // (h * w), entry // w % h, entry % w
        strided_y = (y + pad_y)[:, None] - (i * step_y)[None, :]
        strided_x = (x + pad_x)[:, None] - (j * step_x)[None, :]
        p, q = strided_y // stride_y, strided_x // stride_x
        inside = (pixel < batch * H * W)[:, None] & (entry < O * h * w)[None, :]
        inside = inside & (strided_y >= 0) & (strided_y % stride_y == 0) & (p < P)
        inside = inside & (strided_x >= 0) & (strided_x % stride_x == 0) & (q < Q)
        gradient = tl.load(gradients + (b * (O * P * Q))[:, None] + (o * (P * Q))[None, :] + p * Q + q, inside, 0.0)
        kernel = tl.load(
            weights + (o * (C * h * w) + i * w + j)[:, None] + (c * (h * w))[None, :],
            (entry < O * h * w)[:, None] & (c < C)[None, :],
            0.0,
        )
        sums += tl.dot(gradient.to(FACTORS), kernel.to(FACTORS), input_precision=PRECISION, out_dtype=SUMS)
    place = (b * (C * H * W) + y * W + x)[:, None] + (c * (H * W))[None, :]
    tl.store(images + place, sums.to(images.dtype.element_ty), (pixel < batch * H * W)[:, None] & (c < C)[None, :])


@triton.jit  # type: ignore[untyped-decorator]
def weights_kernel(  # type: ignore[no-untyped-def]
    gradients,
    images,
    parts,
    batch,
    pixels,
    gradient_lane,
    image_lane,
    C: tl.constexpr,
    H: tl.constexpr,
    W: tl.constexpr,
    O: tl.constexpr,
    P: tl.constexpr,
    Q: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    stride_y: tl.constexpr,
    stride_x: tl.constexpr,
    pad_y: tl.constexpr,
    pad_x: tl.constexpr,
    step_y: tl.constexpr,
    step_x: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    FACTORS: tl.constexpr,
    SUMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """parts[s, o, c, i, j] = a sum over b, p, q of gradients[b, o, p, q] images[b, c, p stride - pad + i step, .].

    There are few weights and many pixels to sum over, so each program takes ``pixels`` of [B, P, Q], and the parts
    [K, S, O, C, h, w] are added afterwards, in a fixed order.
    """
    lane = tl.program_id(2).to(tl.int64)
    part = tl.program_id(1)
    gradients += lane * gradient_lane
    images += lane * image_lane
    parts += (lane * tl.num_programs(1) + part) * (O * C * h * w)
    across = (C * h * w + COLUMNS - 1) // COLUMNS
    o = tl.program_id(0) // across * ROWS + tl.arange(0, ROWS)
    entry = tl.program_id(0) % across * COLUMNS + tl.arange(0, COLUMNS)  # of [C, h, w]
    c, i, j = entry // (h * w), entry // w % h, entry % w
    sums = tl.zeros((ROWS, COLUMNS), SUMS)
    for first in range(part * pixels, (part + 1) * pixels, DEPTH):
        pixel = first + tl.arange(0, DEPTH)  # of [B, P, Q]
        b, p, q = pixel // (P * Q), pixel // Q % P, pixel % Q
        exists = pixel < batch * P * Q
        gradient = tl.load(
            gradients + (o * (P * Q))[:, None] + (b * (O * P * Q) + p * Q + q)[None, :],
            (o < O)[:, None] & exists[None, :],
            0.0,
        )
        y = (p * stride_y - pad_y)[:, None] + (i * step_y)[None, :]
        x = (q * stride_x - pad_x)[:, None] + (j * step_x)[None, :]
        inside = exists[:, None] & (entry < C * h * w)[None, :] & (y >= 0) & (y < H) & (x >= 0) & (x < W)
        patch = tl.load(images + (b * (C * H * W))[:, None] + (c * (H * W))[None, :] + y * W + x, inside, 0.0)
        sums += tl.dot(gradient.to(FACTORS), patch.to(FACTORS), input_precision=PRECISION, out_dtype=SUMS)
    place = (o * (C * h * w))[:, None] + entry[None, :]
    tl.store(parts + place, sums, (o < O)[:, None] & (entry < C * h * w)[None, :])

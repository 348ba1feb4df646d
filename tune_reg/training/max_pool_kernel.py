"""Max-pooling whose windows lie side by side as Triton kernels, which read and write each number once.

Images are [N, H, W, C] in memory, also those whose channels come before rows and columns, as N C images of one channel.
The place of a window's largest pixel is kept in one byte. Where pixels tie the first one is taken, and of numbers that
are none the last one, as torch does. Imported where Triton is used.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Numbers that one program of the grid writes.
_BLOCK: Final = 1024


@triton.jit  # type: ignore[untyped-decorator]
def _corner(  # type: ignore[no-untyped-def]
    index, H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, h: tl.constexpr, w: tl.constexpr
):
    """Where the first pixel of the window of an output [N, P, Q, C] is."""
    P: tl.constexpr = H // h
    Q: tl.constexpr = W // w
    pixel = index // C
    row = pixel // Q
    return ((row // P * H + row % P * h) * W + pixel % Q * w) * C + index % C


@triton.jit  # type: ignore[untyped-decorator]
def _largest(  # type: ignore[no-untyped-def]
    images,
    outputs,
    places,
    n,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    COMPARED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    corner = _corner(index, H, W, C, h, w)
    largest = tl.load(images + corner, mask=index < n).to(COMPARED)
    place = tl.zeros([BLOCK], tl.int32)
    for k in tl.static_range(1, h * w):
        value = tl.load(images + corner + (k // w * W + k % w) * C, mask=index < n).to(COMPARED)
        larger = (value > largest) | (value != value)
        largest = tl.where(larger, value, largest)
        place = tl.where(larger, k, place)
    tl.store(outputs + index, largest.to(outputs.dtype.element_ty), mask=index < n)
    tl.store(places + index, place.to(tl.uint8), mask=index < n)


@triton.jit  # type: ignore[untyped-decorator]
def _spread(  # type: ignore[no-untyped-def]
    gradients,
    places,
    of_images,
    n,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    BLOCK: tl.constexpr,
):
    P: tl.constexpr = H // h
    Q: tl.constexpr = W // w
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    pixel = index // C
    x, row = pixel % W, pixel // W
    y = row % H
    pooled = (index < n) & (y < P * h) & (x < Q * w)
    output = ((row // H * P + y // h) * Q + x // w) * C + index % C
    gradient = tl.load(gradients + output, mask=pooled, other=0.0)
    place = tl.load(places + output, mask=pooled, other=0)
    tl.store(of_images + index, tl.where(place == y % h * w + x % w, gradient, 0.0), mask=index < n)


@triton.jit  # type: ignore[untyped-decorator]
def _gather(  # type: ignore[no-untyped-def]
    images,
    places,
    outputs,
    n,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    h: tl.constexpr,
    w: tl.constexpr,
    BLOCK: tl.constexpr,
):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.load(places + index, mask=index < n, other=0).to(tl.int32)
    corner = _corner(index, H, W, C, h, w)
    value = tl.load(images + corner + (place // w * W + place % w) * C, mask=index < n)
    tl.store(outputs + index, value, mask=index < n)


def pool_in_one_pass(images: Tensor, window: tuple[int, int]) -> Tensor:
    """Outputs [N, C, H // h, W // w] of images [N, C, H, W] in the order of memory NCHW or channels last, which stays.

    Differentiable as often as one likes. Raises ValueError for images of 2^31 numbers or more.
    """
    if images.numel() >= 2**31:
        raise ValueError(f"images must have fewer than 2^31 numbers, but have {images.numel()}")
    if not images.is_contiguous() and images.is_contiguous(memory_format=torch.channels_last):
        outputs: Tensor = _Pooled.apply(images.permute(0, 2, 3, 1), window)[0]
        return outputs.permute(0, 3, 1, 2)
    single: Tensor = _Pooled.apply(images.reshape(-1, *images.shape[2:], 1), window)[0]
    return single.view(*images.shape[:2], *single.shape[1:3])


class _Pooled(torch.autograd.Function):
    """The largest pixels of contiguous images [N, H, W, C], and where they are in their windows."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, window: tuple[int, int]) -> tuple[Tensor, Tensor]:
        outputs = _outputs_of(images, window)
        places = torch.empty_like(outputs, dtype=torch.uint8)
        # Not all that runs these kernels can compare numbers of 16 bits.
        compared = tl.float64 if images.dtype == torch.float64 else tl.float32
        tensors = images, outputs, places
        _run(_largest, tensors, outputs.numel(), images.shape, window, COMPARED=compared)
        ctx.mark_non_differentiable(places)
        ctx.save_for_backward(places)
        ctx.shape, ctx.window = images.shape, window
        return outputs, places

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Spread.apply(gradients[0], ctx.saved_tensors[0], ctx.shape, ctx.window), None


class _Spread(torch.autograd.Function):
    """Numbers of the outputs where the largest pixels are, and 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, places: Tensor, shape: torch.Size, window: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(places)
        ctx.window = window
        of_images = gradients.new_empty(shape)
        _run(_spread, (gradients.contiguous(), places, of_images), of_images.numel(), shape, window)
        return of_images

    @staticmethod
    def backward(ctx: Any, *along: Tensor) -> tuple[Tensor | None, ...]:
        return _Gather.apply(along[0], ctx.saved_tensors[0], ctx.window), None, None, None


class _Gather(torch.autograd.Function):
    """Of each window the pixel that was the largest."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, places: Tensor, window: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(places)
        ctx.shape, ctx.window = images.shape, window
        outputs = _outputs_of(images, window)
        _run(_gather, (images.contiguous(), places, outputs), outputs.numel(), images.shape, window)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Spread.apply(gradients[0], ctx.saved_tensors[0], ctx.shape, ctx.window), None, None


def _outputs_of(images: Tensor, window: tuple[int, int]) -> Tensor:
    n, height, width, channels = images.shape
    return images.new_empty(n, height // window[0], width // window[1], channels)


def _run(
    kernel: Any, tensors: tuple[Tensor, ...], n: int, images: torch.Size, window: tuple[int, int], **settings: Any
) -> None:
    """Run a kernel that writes ``n`` numbers."""
    _, height, width, channels = images
    with torch.cuda.device_of(tensors[0]):  # type: ignore[no-untyped-call]
        kernel[(triton.cdiv(n, _BLOCK),)](
            *tensors, n, H=height, W=width, C=channels, h=window[0], w=window[1], BLOCK=_BLOCK, **settings
        )

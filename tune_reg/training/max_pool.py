"""Max-pooling whose windows lie side by side, with a backward pass that writes each gradient once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from tune_reg.training.fastest import Clock, Measured, chosen, compared, replay_milliseconds

#: Rows and columns of a window, which are the stride as well.
Window: TypeAlias = tuple[int, int]

#: Outputs [*, H // h, W // w] from images [B, C, H, W], or [K, B, C, H, W] of K lanes, and a window of h x w.
Pool: TypeAlias = Callable[[Tensor, Window], Tensor]


def of_torch(images: Tensor, window: Window) -> Tensor:
    """The max-pooling of torch, of K lanes as of K times as many images: what ``torch.func.vmap`` makes of it."""
    if images.ndim == 4:
        return functional.max_pool2d(images, window)
    return functional.max_pool2d(images.flatten(0, 1), window).unflatten(0, images.shape[:2])  # type: ignore[no-untyped-call, no-any-return]


def unmoved(images: Tensor, window: Window) -> Tensor:
    """The max-pooling of torch, of K lanes as they lie in memory: as more images, or as more channels of an image.

    >>> unmoved(torch.arange(8.0).view(1, 2, 1, 2, 2), (2, 2)).flatten()
    tensor([3., 7.])
    """
    return _as_they_lie(partial(functional.max_pool2d, kernel_size=window), images)


def by_masks(images: Tensor, window: Window) -> Tensor:
    """As ``unmoved``, where the backward pass gives each pixel of a window the gradient or 0.

    Torch's own is made for windows that may overlap. Here each pixel is in one at most, so that all gradients are
    written at once.
    """
    return _as_they_lie(lambda four: _ByMasks.apply(four, window)[0], images)


def by_kernel(images: Tensor, window: Window) -> Tensor:
    """As ``unmoved``, by Triton kernels of this package, where Triton is installed."""
    from tune_reg.training.max_pool_kernel import pool_in_one_pass

    return _as_they_lie(partial(pool_in_one_pass, window=window), images)


#: The first one is what torch does by itself.
POOLS: Final[dict[str, Pool]] = {"torch": of_torch, "unmoved": unmoved, "masks": by_masks, "kernel": by_kernel}


class Layer(NamedTuple):
    """A max-pooling by all that its time depends on."""

    #: [B, C, H, W], or [K, B, C, H, W] of K lanes.
    images: tuple[int, ...]
    #: The axes of the images in memory, from the outermost to the innermost.
    order: tuple[int, ...]
    window: Window
    dtype: torch.dtype
    #: Whether a gradient is asked for.
    gradient: bool = True

    @property
    def kind(self) -> Layer:
        """The layer as what is chosen for it is remembered: lanes up to a power of two are alike.

        >>> Layer((33, 8, 1, 4, 4), (0, 1, 2, 3, 4), (2, 2), torch.float32).kind.images
        (64, 8, 1, 4, 4)
        """
        if len(self.images) == 4:
            return self
        lanes, *of_lane = self.images
        return self._replace(images=(1 << (lanes - 1).bit_length(), *of_lane))


def layer_of(images: Tensor, window: Window) -> Layer:
    """The layer of images [*, B, C, H, W] and a window.

    >>> layer_of(torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last), (2, 2)).order
    (0, 2, 3, 1)
    """
    strides = images.stride()
    order = sorted(range(images.ndim), key=lambda axis: -strides[axis])
    gradient = torch.is_grad_enabled() and images.requires_grad
    return Layer(tuple(images.shape), tuple(order), window, images.dtype, gradient)


def measure(layer: Layer, device: torch.device, clock: Clock) -> list[Measured]:
    """The time of each way to compute a layer, with the gradient where it is asked for.

    One that fails, or gives other values than torch or passes a gradient to another pixel of a window, is refused.
    """
    generator = torch.Generator(device).manual_seed(0)
    in_memory = torch.empty([layer.images[axis] for axis in layer.order], dtype=layer.dtype, device=device)
    images = in_memory.permute([layer.order.index(axis) for axis in range(len(layer.order))])
    images.normal_(generator=generator).requires_grad_(layer.gradient)
    along = torch.empty_like(of_torch(images.detach(), layer.window)).normal_(generator=generator)

    def run(pool: Pool) -> list[Tensor]:
        with torch.enable_grad():
            outputs = pool(images, layer.window)
            return [outputs.detach(), *(torch.autograd.grad(outputs, images, along) if layer.gradient else ())]

    @cache
    def as_torch() -> list[Tensor]:
        return run(of_torch)

    def right(results: list[Tensor]) -> bool:
        return all(map(torch.equal, results, as_torch()))

    return compared({name: partial(run, pool) for name, pool in POOLS.items()}, right, clock)


#: By kind of layer and device, the way that was the fastest, for the process.
_CHOSEN: Final[dict[tuple[Layer, torch.device], str]] = {}


def pool_for(device: torch.device) -> Pool | None:
    """The max-pooling of training on a device, or None on a device where it is left to torch.

    >>> pool_for(torch.device("cpu"))
    """
    return chosen_pool if device.type == "cuda" else None


def chosen_pool(images: Tensor, window: Window) -> Tensor:
    """Max-pooling in the way that is the fastest for the layer on a CUDA device.

    The ways of a layer that is new are measured first. While a graph is being captured nothing can be measured, and a
    layer that is new is torch's.
    """
    layer, device = layer_of(images, window), images.device
    name = chosen(
        _CHOSEN, (layer.kind, device), lambda: measure(layer, device, replay_milliseconds(device)), unmeasured="torch"
    )
    return POOLS[name](images, window)


def max_pools(pool: Pool | None, *, lanes: bool) -> contextlib.AbstractContextManager[Any]:
    """A context in which ``pool`` computes the max-pooling of a network, or of networks under a vmap over ``lanes``.

    That is a pooling of images [B, C, H, W] whose windows lie side by side; rows and columns that are left over at the
    end are in none. Others stay torch's, and so do all where ``pool`` is None. ``pool`` is differentiated like any
    function, as often as one likes.

    >>> with max_pools(by_masks, lanes=True):
    ...     outputs = torch.func.vmap(torch.nn.MaxPool2d(2))(torch.ones(3, 5, 1, 4, 4))
    >>> outputs.shape
    torch.Size([3, 5, 1, 2, 2])
    """
    if pool is None:
        return contextlib.nullcontext()
    return _MaxPools((lambda images, window: _UnderVmap.apply(images, window, pool)) if lanes else pool)


class _MaxPools(TorchFunctionMode):
    """Within it ``pool`` computes each max-pooling that it can."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func in (functional.max_pool2d, torch.max_pool2d):
            outputs = self._pooled(*args, **kwargs)
            if outputs is not None:
                return outputs
        return func(*args, **kwargs)

    def _pooled(
        self,
        input: Tensor,  # noqa: A002  # as torch calls it
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor | None:
        window = _pair(kernel_size)
        side_by_side = not stride or _pair(stride) == window
        if return_indices or not side_by_side or _pair(padding) != (0, 0) or _pair(dilation) != (1, 1):
            return None
        if input.ndim != 4 or not input.is_floating_point() or not all(input.shape):
            return None
        if ceil_mode and (input.shape[2] % window[0] or input.shape[3] % window[1]):
            return None  # windows at the end reach beyond the image
        if input.shape[2] < window[0] or input.shape[3] < window[1]:
            return None  # torch says what is wrong
        return self._pool(input, window)


class _UnderVmap(torch.autograd.Function):
    """A max-pooling that is one of torch where no lane has images of its own, and ``pool`` of all lanes at once."""

    @staticmethod
    def forward(images: Tensor, window: Window, pool: Pool) -> Tensor:
        del pool
        return functional.max_pool2d(images, window)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        images, ctx.window, _ = inputs
        ctx.save_for_backward(images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Where no lane has images of its own, vmap leaves a max-pooling as it is."""
        images = ctx.saved_tensors[0]
        _, indices = functional.max_pool2d(images, ctx.window, return_indices=True)
        return _spread(gradients[0], indices, ctx.window, (images.shape[-2], images.shape[-1])), None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], images: Tensor, window: Window, pool: Pool
    ) -> tuple[Tensor, int]:
        """All lanes at once; vmap calls it outside of itself, with the stacked images."""
        del info
        assert in_dims[0] is not None
        return pool(images.movedim(in_dims[0], 0), window), 0


class _ByMasks(torch.autograd.Function):
    """Torch's max-pooling with its indices, and the backward pass of ``by_masks``."""

    @staticmethod
    def forward(images: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        outputs, indices = functional.max_pool2d(images, window, return_indices=True)
        return outputs, indices

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        (images, ctx.window), indices = inputs, output[1]
        ctx.size = images.shape[-2], images.shape[-1]
        ctx.mark_non_differentiable(indices)
        ctx.save_for_backward(indices)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _spread(gradients[0], ctx.saved_tensors[0], ctx.window, ctx.size), None


def _spread(gradients: Tensor, indices: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """Gradients of the images [N, C, H, W] from those of the outputs [N, C, P, Q] and the largest pixels' indices.

    ``size``: H and W. Rows and columns that are in no window have the gradient 0.
    """
    channels_last = not indices.is_contiguous() and indices.is_contiguous(memory_format=torch.channels_last)
    if channels_last:  # so that the result lies in memory as the images do
        gradients, indices = gradients.movedim(1, -1), indices.movedim(1, -1)
    rows = 1 if channels_last else 2

    def in_windows(tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(rows + 2).unsqueeze(rows + 1)

    p, q = indices.shape[rows : rows + 2]
    height, width = p * window[0], q * window[1]
    positions = torch.arange(size[0] * size[1], device=indices.device).view(size)[:height, :width]
    positions = positions.reshape(p, window[0], q, window[1])
    if channels_last:
        positions = positions.unsqueeze(-1)
    spread = torch.where(in_windows(indices) == positions, in_windows(gradients), 0)
    # In this form it works under each kind of vmap of torch, too.
    spread = spread.reshape(*gradients.shape[:rows], height, width, *gradients.shape[rows + 2 :])
    if (height, width) != size:
        after = (0, size[1] - width, 0, size[0] - height)
        spread = functional.pad(spread, (0, 0, *after) if channels_last else after)
    return spread.movedim(-1, 1) if channels_last else spread


def _as_they_lie(pool: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """``pool``, a function of images [N, C, H, W], of images that may have lanes first, without moving them."""
    if images.ndim == 4:
        return pool(images)
    lanes, batch = images.shape[:2]
    if images.stride(0) >= images.stride(1):
        return pool(images.flatten(0, 1)).unflatten(0, (lanes, batch))  # type: ignore[no-untyped-call, no-any-return]
    outputs: Tensor = pool(images.transpose(0, 1).flatten(1, 2)).unflatten(1, (lanes, -1))  # type: ignore[no-untyped-call]
    return outputs.transpose(0, 1)


def _pair(sides: int | Sequence[int]) -> tuple[int, int]:
    """Rows and columns of an argument that is one number for both, or one for each."""
    rows, columns = (sides, sides) if isinstance(sides, int) else (sides[0], sides[-1])
    return rows, columns

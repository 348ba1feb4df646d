"""Whether SGD of many networks may run as one kernel: on a CUDA device where it gives what torch's operations give."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from tune_reg.errors import one_line
from tune_reg.optimizers.lane_updates import Numbers, sgd
from tune_reg.optimizers.rows import row_layout

#: ``sgd_in_one_pass``: weights, gradients, momenta, rates, momentum, and decays and masks, which may be None.
OnePass: TypeAlias = Callable[[Tensor, Sequence[Tensor], Tensor, Tensor, Tensor, Tensor | None, Tensor | None], None]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


@cache
def fused_sgd(device: torch.device, dtype: torch.dtype) -> OnePass | None:
    """The kernel for a device, compared once with torch's operations; None where those must run.

    Where the kernel fails or differs, a warning says so. Without Triton nothing is said: torch's operations give the
    same results.

    >>> fused_sgd(torch.device("cpu"), torch.float32)
    """

    def load() -> OnePass:
        from tune_reg.optimizers.sgd_kernel import sgd_in_one_pass

        return sgd_in_one_pass

    return compared("sgd", load, lambda kernel: agrees(kernel, device, dtype), device)


def compared(
    name: str, load: Callable[[], Kernel], agrees: Callable[[Kernel], bool], device: torch.device
) -> Kernel | None:
    """The kernel that ``load`` imports, where ``agrees`` says that it gives what torch's operations give.

    None on a device that is not CUDA, without Triton, and, with a warning that has the ``name``, where the kernel fails
    or differs.
    """
    if device.type != "cuda":
        return None
    try:
        kernel = load()
    except ImportError:
        return None
    try:
        if agrees(kernel):
            return kernel
        why = "it differs from torch's operations"
    except Exception as error:  # a compiler that is missing or broken raises all kinds
        why = one_line(error)
    warnings.warn(
        f"lanes: no kernel for {name} ({why}); torch's operations run: slower, with the same results",
        RuntimeWarning,
        stacklevel=3,
    )
    return None


def agrees(one_pass: OnePass, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernel gives what torch's operations give, up to rounding, on small tensors of random numbers."""
    source = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=source, dtype=torch.float64).to(device, dtype)

    rates, momentum, decays = (drawn(3, 1) for _ in range(3))
    # A layer with padding, and one whose numbers are read several at once.
    layout = row_layout([(3, 7), (16, 94)])
    gradients, *others = ([drawn(3, *piece.shape) for piece in layout.pieces] for _ in range(4))
    weights, momenta, masks = map(layout.join, others)
    close = []
    for decay, mask in ((None, None), (decays, None), (decays, masks)):
        one, other = ([weights.clone(), layout.join(gradients), momenta.clone()] for _ in range(2))
        one_pass(one[0], gradients, one[2], rates, momentum, decay, mask)
        if decay is not None:
            other[1].addcmul_(other[0], decay)
        if mask is not None:
            other[1].mul_(mask)
        sgd(other[0], other[1], {"momentum_buffer": other[2]}, Numbers(rates, momentum, rates, {}))
        bound = 16 * torch.finfo(dtype).eps
        close += [torch.allclose(one[i], other[i], rtol=bound, atol=bound) for i in (0, 2)]
    return all(close)

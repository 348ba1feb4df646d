"""Linear layers of networks that run under ``torch.func.vmap``, with gradients in the order of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class LaneLinear(TorchFunctionMode):
    """Within it, ``linear`` of a batch of rows gives gradients of its weights that lie in memory as the weights do.

    Under vmap torch computes ``x W^T``, whose gradient by the weights comes out as the transpose of a product, so that
    a step has to write all of it once more, in strides. Here it is ``(W x^T)^T``, which moves the strides to the
    outputs: they are smaller, and the next layer reads them as they are.

    >>> import torch
    >>> weights, images = torch.ones(2, 3, 4, requires_grad=True), torch.ones(2, 5, 4)
    >>> with LaneLinear():
    ...     outputs = torch.func.vmap(functional.linear)(images, weights)
    >>> outputs.shape, torch.autograd.grad(outputs.sum(), weights)[0].is_contiguous()
    (torch.Size([2, 5, 3]), True)
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        return _linear(*args, **kwargs) if func is functional.linear else func(*args, **kwargs)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002  # as torch calls it
    if input.ndim != 2 or weight.ndim != 2:
        return functional.linear(input, weight, bias)
    outputs = (weight @ input.mT).mT
    return outputs if bias is None else outputs + bias

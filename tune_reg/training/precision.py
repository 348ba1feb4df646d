"""The precision of products: float32 in full, TF32, or a forward pass in bfloat16 with parameters that stay float32."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

#: The functions that run in bfloat16: products of matrices, and convolutions. All others keep their arguments' dtype.
_PRODUCTS: Final = frozenset(
    {
        functional.linear,
        functional.bilinear,
        torch.conv1d,
        torch.conv2d,
        torch.conv3d,
        torch.conv_transpose1d,
        torch.conv_transpose2d,
        torch.conv_transpose3d,
        torch.matmul,
        torch.mm,
        torch.bmm,
        torch.addmm,
        torch.baddbmm,
        Tensor.matmul,
        Tensor.__matmul__,
        Tensor.mm,
        Tensor.bmm,
    }
)

#: The functions that run in float32: statistics, whose kernel takes a single dtype under vmap.
_NORMS: Final = frozenset(
    {functional.batch_norm, functional.layer_norm, functional.group_norm, functional.instance_norm}
)


class Bfloat16(TorchFunctionMode):
    """Products of matrices and convolutions take their float32 arguments as bfloat16, as under ``torch.autocast``.

    ``torch.autocast`` does nothing under ``torch.func.vmap``; ``Bfloat16`` acts before vmap, so that it does the same
    for one network and for many. Normalisations are computed in float32 and return the dtype of their argument.
    float64 stays.

    >>> weight, inputs = torch.ones(3, 4), torch.ones(2, 4)
    >>> with Bfloat16():
    ...     functional.linear(inputs, weight).dtype
    torch.bfloat16
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            args = tuple(_narrow(argument) for argument in args)
            kwargs = {name: _narrow(argument) for name, argument in kwargs.items()}
        elif func in _NORMS and args[0].dtype == torch.bfloat16:
            return func(args[0].float(), *args[1:], **kwargs).to(torch.bfloat16)
        return func(*args, **kwargs)


def forward_pass(precision: str) -> contextlib.AbstractContextManager[Any]:
    """The context of the forward pass of a training step, for ``precision`` of ``TrainingSettings``.

    Losses, penalties and the update come after the forward pass, in the dtype of the parameters.
    """
    return Bfloat16() if precision == "bfloat16" else contextlib.nullcontext()


@contextlib.contextmanager
def products(precision: str) -> Iterator[None]:
    """A context in which a GPU rounds the factors of float32 products to TF32 where ``precision`` is "tf32" alone.

    Products are those of matrices and convolutions. With "float32" and "bfloat16" float32 products are computed in
    float32, also those of cuDNN's convolutions, which torch lets take TF32 where nothing is said. At the end the
    settings are as before. They are settings of the process, and do nothing on a CPU.

    >>> with products("tf32"):
    ...     torch.backends.cudnn.conv.fp32_precision
    'tf32'
    """
    kinds: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.fp32_precision = value


def takes_tf32() -> bool:
    """Whether float32 products may be computed in TF32 now, as ``products`` has set it.

    >>> with products("tf32"):
    ...     takes_tf32()
    True
    """
    precision: str = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    return precision == "tf32"


def _narrow(argument: Any) -> Any:
    narrows = isinstance(argument, Tensor) and argument.dtype == torch.float32
    return argument.to(torch.bfloat16) if narrows else argument

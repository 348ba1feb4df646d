"""Whether the hooks of a regularizer of the user's own return tensors of the right shape."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import torch

from tune_reg.errors import StudyError
from tune_reg.regularizers import Regularizer, parts_of

#: Hooks that return one number, and hooks that return a tensor in the shape of their first argument.
_ONE_NUMBER: Final = ("loss", "penalty")
_COEFFICIENTS: Final = ("weight_decay", "dropout", "sparsity")
_AS_GIVEN: Final = ("inputs", "targets", "gradient", "update")


def watch_hooks(reg: Regularizer) -> None:
    """Let each hook of the user's own in ``reg`` raise ``StudyError`` where what it returns has the wrong shape."""
    for part in parts_of(reg):
        if type(part).__module__.startswith("tune_reg."):
            continue
        for hook in (*_ONE_NUMBER, *_COEFFICIENTS, *_AS_GIVEN):
            if part.fills(hook):
                setattr(part, hook, _watched(hook, getattr(part, hook)))


def _watched(hook: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def watched(*arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        fault = _fault(hook, result, arguments)
        if fault is not None:
            code = call.__func__.__code__ if hasattr(call, "__func__") else None
            at = "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
            raise StudyError(f"{hook} {fault}{at}")
        return result

    return watched


def _fault(hook: str, result: Any, arguments: tuple[Any, ...]) -> str | None:
    if hook in _COEFFICIENTS and isinstance(result, int | float):
        return None
    if not isinstance(result, torch.Tensor):
        return f"must return a tensor, but returns a {type(result).__name__}; end it with return and the tensor"
    if hook in _AS_GIVEN:
        wanted = list(arguments[0].shape)
        if list(result.shape) == wanted:
            return None
        return f"must return a tensor in the shape of its first argument, {wanted}, but returns {list(result.shape)}"
    if result.ndim == 0:
        return None
    hint = "take .mean() or .sum() of it" if hook in _ONE_NUMBER else "return one for all images and weights"
    return f"must return one number, a tensor of shape [], but returns {list(result.shape)}; {hint}"

"""Torch's optimizers without torch's compiler, which they import for their first call and nothing here uses.

Its import brings sympy, torch.distributed and much else, and takes a large part of the time that a process needs before
its first step.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Final

import torch

#: What an optimizer does that torch marks as not to be compiled; the mark imports the compiler.
_MARKED: Final = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def leave_out_compiler() -> None:
    """Let the methods of torch's optimizers, all but ``step``, do their work without importing the compiler.

    Where it is imported already, and with a torch that marks them in another way, nothing changes.

    >>> leave_out_compiler()
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in _MARKED:
        unmarked = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if unmarked is not None:
            # Where torch keeps the function that it calls in place of the marked one.
            vars(unmarked).setdefault("__dynamo_disable", unmarked)


def plain_step(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """``optimizer.step`` without what torch wraps around it for its compiler and its profiler.

    Hooks that are registered for the step are not called.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> weight.grad = torch.ones(1)
    >>> plain_step(torch.optim.SGD([weight], lr=0.25))()
    >>> weight.item()
    0.75
    """
    return functools.partial(unwrapped_step(type(optimizer)), optimizer)


def unwrapped_step(kind: type[torch.optim.Optimizer]) -> Callable[..., Any]:
    """The ``step`` of a kind of optimizer, a function of the optimizer, without what torch wraps around it."""
    step: Callable[..., Any] = torch.no_grad()(inspect.unwrap(kind.step))
    return step

"""What is wrong with a model in training: what it returns, whether it can learn, and what of it is never used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch

from tune_reg.training import SerialEngine
from tune_reg.user_code import error_text

#: Forward passes in which a parameter must be unused: a layer may be left out at random in one of them.
_PASSES: Final = 3


def model_faults(engine: SerialEngine) -> Iterator[str]:
    """What is wrong with the model of ``engine`` on a batch of all its training images, in training mode."""
    images, _ = engine.batch("train", torch.arange(engine.size("train")))
    if not any(parameter.requires_grad for parameter in engine.model.parameters()):
        yield "no parameter can learn; at least one must have requires_grad = True"
        return
    engine.model.train()
    try:
        outputs = engine.model(images)
    except Exception as error:
        yield f"fails in training on {list(images.shape)} ({error_text(error)}); mend the model"
        return
    wanted = [len(images), engine.dataset.classes]
    if not isinstance(outputs, torch.Tensor):
        yield (
            f"must return one tensor of logits {wanted} in training, too, but returns a {type(outputs).__name__}; "
            "return the main output alone"
        )
    elif list(outputs.shape) != wanted:
        yield f"must return logits {wanted} in training, too, but returns {list(outputs.shape)}"
    elif not outputs.requires_grad:
        yield "its output does not depend on any parameter that can learn; remove detach() or no_grad()"


def unused_parameters(engine: SerialEngine) -> str | None:
    """A line about the parameters that no output depends on, which stay as they are; None where there are none."""
    images, _ = engine.batch("train", torch.arange(engine.size("train")))
    engine.model.train()
    named = {name.removeprefix("net."): p for name, p in engine.model.named_parameters() if p.requires_grad}
    unused = set(named)
    try:
        for _ in range(_PASSES):
            total = engine.model(images).sum()
            gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
            unused &= {name for name, gradient in zip(named, gradients, strict=True) if gradient is None}
    except Exception:
        return None  # the first training step of each method says what is wrong
    if not unused:
        return None
    which = [name for name in named if name in unused]
    some = ", ".join(which[:5]) + (f" and {len(which) - 5} more" if len(which) > 5 else "")
    return (
        f"model {engine.run.model!r}: the forward pass never uses {some}, so these parameters stay as they were made; "
        "remove them, or use them in forward()"
    )

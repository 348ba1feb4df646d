"""A user's own model: a function or a class, named as ``package.module:function`` or given in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.user_code import error_text
from tune_reg.user_function import import_function

#: What a function may be given, by the names of its parameters.
_NAMES: Final = ("channels", "image_size", "classes", "inputs")


def build_from_function(name: str, inputs: tuple[int, ...], classes: int, *, integers: bool = False) -> nn.Module:
    """Build a user's net by the function ``name``, and run it on two examples of zeros to refuse a wrong net early.

    ``inputs``: the shape of an example. The function is given what its parameters name, see ``arguments``. The run also
    gives lazy layers their weights; its examples are whole numbers where ``integers``. Raises StudyError.
    """
    function = import_function(name, "model")
    positional, named = arguments(function, name, inputs, classes)
    try:
        net = function(*positional, **named)
    except (Exception, SystemExit) as error:
        raise StudyError(f"model {name!r}: the function raised {error_text(error)}") from error
    if not isinstance(net, nn.Module):
        raise StudyError(f"model {name!r}: the function must return a torch.nn.Module, got a {type(net).__name__}")
    net.eval()  # batch normalisation must not learn from the zeros
    try:
        with torch.no_grad():
            logits = net(torch.zeros(2, *inputs, dtype=torch.int64 if integers else None))
    except (Exception, SystemExit) as error:
        what = "images" if len(inputs) == 3 else "examples"
        raise StudyError(f"model {name!r}: the net failed on {what} {[2, *inputs]} ({error_text(error)})") from error
    net.train()
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [2, classes]:
        hint = "" if named or positional else "; let the function take `classes`, and give the net as many outputs"
        raise StudyError(f"model {name!r}: the net must return logits [B, {classes}], got {shape} for B = 2{hint}")
    return net


def arguments(
    function: Callable[..., Any], name: str, inputs: tuple[int, ...], classes: int
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a user's function is given, by position and by name.

    By name what its parameters name of ``channels``, ``image_size``, ``classes`` and ``inputs``; three parameters of
    other names are given channels, image size and classes. Raises StudyError for a function that takes anything else.

    >>> arguments(lambda inputs, classes: None, "mine", (30,), 2)
    ((), {'inputs': (30,), 'classes': 2})
    >>> arguments(lambda depth, size, ways: None, "mine", (3, 32, 32), 10)
    ((3, (32, 32), 10), {})
    """
    offered: dict[str, Any] = {"inputs": inputs, "classes": classes}
    if len(inputs) == 3:
        offered |= {"channels": inputs[0], "image_size": (inputs[1], inputs[2])}
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a function that is not written in Python
        signature = inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)])
    parameters = list(signature.parameters.values())
    single = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    required = [p.name for p in single if p.default is p.empty]
    missing = [name for name in required if name in _NAMES and name not in offered]
    if missing and set(required) <= set(_NAMES):
        raise StudyError(
            f"model {name!r}: its parameter {missing[0]} is of images, but an example has the shape {list(inputs)}; "
            "name a parameter `inputs`, which is given this shape"
        )
    by_name = all(p.kind is not p.POSITIONAL_ONLY for p in single)
    if by_name and set(required) <= set(_NAMES):
        given = {p.name: offered[p.name] for p in single if p.name in offered}
        if given or not any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return (), given
    if len(inputs) == 3 and len(required) in (0, 3):
        return (inputs[0], (inputs[1], inputs[2]), classes), {}
    raise StudyError(
        f"model {name!r}: must take channels, image_size and classes, or inputs and classes, but takes {signature}"
    )

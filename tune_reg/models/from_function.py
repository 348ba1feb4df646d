"""A user's own model: a function named as ``package.module:function``."""

from __future__ import annotations

import torch
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.user_code import error_text
from tune_reg.user_function import import_function


def build_from_function(name: str, channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:
    """Build a user's net by the function ``name``, and run it on two black images to refuse a wrong net early.

    The run also gives lazy layers their weights. Raises StudyError.
    """
    function = import_function(name, "model")
    try:
        net = function(channels, image_size, classes)
    except (Exception, SystemExit) as error:
        raise StudyError(f"model {name!r}: the function raised {error_text(error)}") from error
    if not isinstance(net, nn.Module):
        raise StudyError(f"model {name!r}: the function must return a torch.nn.Module, got a {type(net).__name__}")
    net.eval()  # batch normalisation must not learn from the black images
    try:
        with torch.no_grad():
            logits = net(torch.zeros(2, channels, *image_size))
    except (Exception, SystemExit) as error:
        raise StudyError(
            f"model {name!r}: the net failed on images [2, {channels}, {image_size[0]}, {image_size[1]}] "
            f"({error_text(error)})"
        ) from error
    net.train()
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [2, classes]:
        raise StudyError(f"model {name!r}: the net must return logits [B, {classes}], got {shape} for B = 2")
    return net

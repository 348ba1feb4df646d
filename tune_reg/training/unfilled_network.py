"""A network of a data set's shape without its data: to count its numbers, or to load weights into it."""

from __future__ import annotations

import torch
from torch import nn

from tune_reg.data import describe
from tune_reg.models import build


def unfilled_network(model: str, dataset: str) -> nn.Module:
    """The network of a model's name for the data of a data set's name, with weights of seed 0 and no statistics.

    The mean and the deviation that normalise images are a part of the weights that are loaded, and are 0 until then.

    >>> sum(parameter.numel() for parameter in unfilled_network("nn-2-small", "digits").parameters())
    50610
    """
    info = describe(dataset)
    zeros = torch.zeros(info.image[0]) if info.values == "bytes" else None
    return build(
        model,
        image=info.image,
        classes=info.classes,
        mean=zeros,
        std=zeros,
        seed=0,
        integers=info.values == "integers",
    )

"""NN-2 and NN-3 of AdaDecay (Nakamura, Hong 2019, arXiv 1907.08931): perceptrons with two and three hidden layers.

The paper gives no widths; here each hidden layer has 512 units, and 300, 100 (, 100) in the cheap forms.
torch's default weights. A dropout layer follows each ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Final

from torch import Tensor, nn

from tune_reg.models.dropout import relu_dropout
from tune_reg.models.entry import ModelEntry


class _Flatten(nn.Flatten):
    """Examples of any shape as vectors [B, F] of floating-point numbers."""

    def forward(self, examples: Tensor) -> Tensor:
        return super().forward(examples if examples.is_floating_point() else examples.float())


def perceptron(channels: int, image_size: tuple[int, int], classes: int, *, hidden: Sequence[int]) -> nn.Module:
    """A perceptron, linear layers with ReLU between them: [B, C, H, W] to logits [B, classes].

    >>> sum(p.numel() for p in perceptron(1, (28, 28), 10, hidden=(300, 100)).parameters())
    266610
    """
    widths = [channels * image_size[0] * image_size[1], *hidden]
    layers: list[nn.Module] = [_Flatten()]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), relu_dropout()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


def _perceptron(name: str, title: str, *hidden: int) -> ModelEntry:
    return ModelEntry(name, title, partial(perceptron, hidden=hidden), dropout=True, flattens=True)


PERCEPTRONS: Final = (
    _perceptron("nn-2", "perceptron 512-512 (AdaDecay)", 512, 512),
    _perceptron("nn-2-small", "perceptron 300-100, the cheap form of nn-2", 300, 100),
    _perceptron("nn-3", "perceptron 512-512-512 (AdaDecay)", 512, 512, 512),
    _perceptron("nn-3-small", "perceptron 300-100-100, the cheap form of nn-3", 300, 100, 100),
)

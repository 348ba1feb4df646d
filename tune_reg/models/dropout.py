"""Dropout layers that are off until a rate is set, and draw their masks from a given generator.

Srivastava et al. 2014, in the form that scales the units in training, so that evaluation needs no scaling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from tune_reg.errors import StudyError


class Dropout(nn.Module):
    """A dropout layer: in training, each number is 0 with probability ``rate``, else multiplied by ``1 / (1 - rate)``.

    In evaluation mode, and at rate 0, the output is the input tensor itself and nothing is drawn. The mask is drawn on
    the CPU, in an order that depends on the shape alone: it is the same on every device, in every dtype and in every
    memory format. Neither ``rate`` nor ``generator`` is part of the saved state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rate: float | Tensor = 0.0
        """Probability to drop, in [0, 1); a tensor is 0-d, best on the CPU, since every call reads it."""
        self.generator: torch.Generator | None = None
        """Generator of the masks, on the CPU; None: torch's own."""

    def forward(self, hidden: Tensor) -> Tensor:
        """The input after dropout: any shape, to the same shape.

        >>> layer = Dropout()
        >>> layer(torch.ones(5))
        tensor([1., 1., 1., 1., 1.])
        >>> layer.rate, layer.generator = 0.5, torch.Generator().manual_seed(0)
        >>> layer(torch.ones(5))
        tensor([0., 2., 0., 0., 0.])
        """
        rate = float(self.rate)
        if not self.training or rate == 0:
            return hidden
        return hidden * draw_mask(hidden.shape, rate, self.generator, hidden.dtype).to(hidden.device)

    def extra_repr(self) -> str:
        """The rate, for ``print``."""
        return f"rate={float(self.rate):g}"


def draw_mask(shape: torch.Size, rate: float, generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    """A mask that dropout multiplies by, on the CPU: 0 with probability ``rate`` in [0, 1), else ``1 / (1 - rate)``."""
    # float32 whatever the default dtype: float64 draws other numbers, and would drop other units.
    kept = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu") >= rate
    return kept.to(dtype) / (1 - rate)


def relu_dropout() -> nn.Sequential:
    """A ReLU with a dropout layer after it, as one layer, so that the next layers keep their numbers."""
    return nn.Sequential(nn.ReLU(), Dropout())


def has_dropout(model: nn.Module) -> bool:
    """Whether ``set_dropout`` can act on the model.

    >>> has_dropout(relu_dropout()), has_dropout(nn.Dropout()), has_dropout(nn.ReLU())
    (True, True, False)
    """
    return any(isinstance(layer, Dropout | _DropoutNd) for layer in model.modules())


def has_torch_dropout(model: nn.Module) -> bool:
    """Whether the model has dropout layers of torch's own.

    >>> has_torch_dropout(nn.Dropout()), has_torch_dropout(relu_dropout())
    (True, False)
    """
    return any(isinstance(layer, _DropoutNd) for layer in model.modules())


def set_dropout(model: nn.Module, rate: float, generator: torch.Generator | None) -> None:
    """Set the rate, in [0, 1), and the generator of the masks of all dropout layers of a model.

    The layers draw one after another from the one generator. Torch's own layers (``nn.Dropout`` and its family), which
    a user's net may have, get the rate, and draw from torch's global generator. Raises StudyError for a rate out
    of range, and for a rate above 0 where no layer could drop anything.
    """
    if not 0 <= rate < 1:
        raise StudyError(f"the dropout rate must be in [0, 1), got {rate!r}")
    if rate and not has_dropout(model):
        raise StudyError(
            f"dropout at rate {rate:g} needs a model with layers of tune_reg.models.Dropout or torch.nn.Dropout, "
            "and this one has none"
        )
    for layer in model.modules():
        if isinstance(layer, Dropout):
            layer.rate, layer.generator = rate, generator
        elif isinstance(layer, _DropoutNd):
            layer.p = rate

"""Robustness of networks whose examples are not in [0, 1]: radii and strengths are in units of the data's range."""

from __future__ import annotations

from torch import Tensor, nn

from tune_reg.data import Dataset


class _OfUnitRange(nn.Module):
    """A network that takes examples in [0, 1], where 0 and 1 stand for the smallest and the largest of the data."""

    def __init__(self, model: nn.Module, low: Tensor, width: Tensor) -> None:
        super().__init__()
        self.model = model
        self.low, self.width = low, width

    def forward(self, examples: Tensor) -> Tensor:
        logits: Tensor = self.model(self.low + examples * self.width)
        return logits


def in_unit_range(model: nn.Module, examples: Tensor, dataset: Dataset) -> tuple[nn.Module, Tensor]:
    """The model and the examples [N, ...] as attacks and noise take them: in [0, 1].

    The same model and examples for images of bytes, which are in [0, 1]. For floats, the values from the smallest to
    the largest of the data set are mapped to [0, 1]: of vectors [N, F] those of each feature, so that a radius of 0.1
    is a tenth of the range of each.
    """
    bounds = dataset.bounds
    if bounds is None:
        return model, examples
    low, high = (bound.to(examples) for bound in bounds)
    width = high - low
    scaled = (examples - low) / width.where(width > 0, 1)
    return _OfUnitRange(model, low, width), scaled.clamp(0, 1)

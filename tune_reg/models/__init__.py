"""Models: networks from images in [0, 1] to logits, with the normalisation inside and first weights by a seed."""

from tune_reg.models.catalog import (
    MODELS,
    build,
    check,
    dropout_models,
    is_convolutional,
    shape_fault,
    supports_dropout,
)
from tune_reg.models.classifier import Classifier
from tune_reg.models.dropout import Dropout, draw_mask, has_dropout, has_torch_dropout, set_dropout

__all__ = [
    "MODELS",
    "Classifier",
    "Dropout",
    "build",
    "check",
    "draw_mask",
    "dropout_models",
    "has_dropout",
    "has_torch_dropout",
    "is_convolutional",
    "set_dropout",
    "shape_fault",
    "supports_dropout",
]

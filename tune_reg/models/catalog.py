"""The models by name."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.global_generators import seeded
from tune_reg.models.classifier import Classifier, border
from tune_reg.models.densenet import DENSENET_BC_100_12
from tune_reg.models.from_function import build_from_function
from tune_reg.models.googlenet import GOOGLENET
from tune_reg.models.lenet import LENET_4
from tune_reg.models.perceptron import PERCEPTRONS
from tune_reg.models.resnet_cifar import RESNETS_CIFAR
from tune_reg.models.resnet_keras import RESNETS_KERAS
from tune_reg.models.resnet_torchvision import RESNETS_TORCHVISION
from tune_reg.models.small_cnn import SMALL_CNN
from tune_reg.models.vgg import VGG_9
from tune_reg.user_function import import_function

_CATALOG: Final = {
    entry.name: entry
    for entry in (
        *PERCEPTRONS,
        LENET_4,
        SMALL_CNN,
        VGG_9,
        *RESNETS_CIFAR,
        *RESNETS_KERAS,
        *RESNETS_TORCHVISION,
        GOOGLENET,
        DENSENET_BC_100_12,
    )
}

#: Name -> one line, of the built-in models.
MODELS: Final[dict[str, str]] = {name: entry.title for name, entry in _CATALOG.items()}


def build(name: str, *, image: tuple[int, int, int], classes: int, mean: Tensor, std: Tensor, seed: int) -> nn.Module:
    """A new, untrained net on the CPU, which maps float [B, C, H, W] in [0, 1] to logits [B, classes].

    name: one of MODELS, or a user's function ``package.module:function(channels, (height, width), classes) ->
    nn.Module``. image: (C, H, W). mean, std: [C] of the training images in [0, 1]; the normalisation lies inside the
    model, for a user's net too. The first weights depend on the seed alone, and the global generators of
    torch, numpy and ``random`` are left as they were. Raises StudyError.

    >>> model = build("nn-2", image=(1, 8, 8), classes=10, mean=torch.zeros(1), std=torch.ones(1), seed=0)
    >>> model(torch.rand(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """
    check(name)
    if len(image) != 3 or any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in image):
        raise StudyError(f"image must be (channels, height, width), whole numbers of at least 1, got {image!r}")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise StudyError(f"classes must be a whole number of at least 2, got {classes!r}")
    channels, height, width = image
    for argument, value in (("mean", mean), ("std", std)):
        if value.shape != (channels,):
            raise StudyError(f"{argument} must have the shape [{channels}], one a channel, got {list(value.shape)}")
    with seeded(seed), torch.device("cpu"):
        if name in _CATALOG:
            entry = _CATALOG[name]
            widths = border(height, width, entry.smallest)
            size = (height + widths[2] + widths[3], width + widths[0] + widths[1])
            net = entry.build(channels, size, classes)
        else:
            widths = (0, 0, 0, 0)
            net = build_from_function(name, channels, (height, width), classes)
    # Mean and std get the dtype of the weights.
    dtype = torch.get_default_dtype()
    return Classifier(net, mean.to("cpu", dtype), std.to("cpu", dtype), widths)


def check(name: str) -> None:
    """Raise StudyError for a name that is neither in MODELS nor a function that can be imported."""
    if name in _CATALOG:
        return
    if ":" in name:
        import_function(name, "model")
        return
    raise StudyError(f"unknown model {name!r}{did_you_mean(name, _CATALOG)}, or your own as package.module:function")


def supports_dropout(name: str) -> bool:
    """Whether the model called ``name`` can have dropout, without building the model.

    True for a user's model, whose layers are only known once it is built: ``set_dropout`` then refuses a net without
    dropout layers. Raises StudyError for an unknown name.

    >>> supports_dropout("nn-2"), supports_dropout("resnet-20")
    (True, False)
    """
    check(name)
    return name not in _CATALOG or _CATALOG[name].dropout


def dropout_models() -> list[str]:
    """The built-in models that have dropout layers, in the order of MODELS."""
    return [name for name, entry in _CATALOG.items() if entry.dropout]


def is_convolutional(model: nn.Module) -> bool:
    """Whether the model has 2-D convolutions, so that the channels_last format pays.

    >>> is_convolutional(nn.Sequential(nn.Conv2d(1, 2, 3))), is_convolutional(nn.Linear(2, 2))
    (True, False)
    """
    return any(isinstance(layer, nn.Conv2d) for layer in model.modules())

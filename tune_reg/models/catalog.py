"""The models by name."""

from __future__ import annotations

import math
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


def build(
    name: str,
    *,
    image: tuple[int, ...],
    classes: int,
    mean: Tensor | None,
    std: Tensor | None,
    seed: int,
    integers: bool = False,
) -> nn.Module:
    """A new, untrained net on the CPU, which maps examples [B, *image] to logits [B, classes].

    name: one of MODELS, or a user's function ``package.module:function``, which is given what its parameters name:
    ``channels``, ``image_size`` (height, width) and ``classes``, or ``inputs``, the shape of one example, and
    ``classes``. image: (C, H, W) of images, or another shape of an example. mean, std: [C] of the training images in
    [0, 1]; the normalisation lies inside the model, for a user's net too. None: examples are given as they are.
    ``integers``: the examples are whole numbers. The first weights depend on the seed alone, and the global generators
    of torch, numpy and ``random`` are left as they were. Raises StudyError.

    >>> model = build("nn-2", image=(1, 8, 8), classes=10, mean=torch.zeros(1), std=torch.ones(1), seed=0)
    >>> model(torch.rand(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    >>> build("nn-2", image=(30,), classes=2, mean=None, std=None, seed=0)(torch.rand(5, 30)).shape
    torch.Size([5, 2])
    """
    check(name)
    if not image or any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in image):
        raise StudyError(f"image must be the shape of an example, whole numbers of at least 1, got {image!r}")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise StudyError(f"classes must be a whole number of at least 2, got {classes!r}")
    for argument, value in (("mean", mean), ("std", std)):
        if value is not None and value.shape != (image[0],):
            raise StudyError(f"{argument} must have the shape [{image[0]}], one a channel, got {list(value.shape)}")
    widths = (0, 0, 0, 0)
    with seeded(seed), torch.device("cpu"):
        if name not in _CATALOG:
            net = build_from_function(name, image, classes, integers=integers)
        elif _CATALOG[name].flattens:
            net = _CATALOG[name].build(math.prod(image), (1, 1), classes)
        else:
            fault = shape_fault(name, image)
            if fault is not None:
                raise StudyError(fault)
            entry, (channels, height, width) = _CATALOG[name], image
            widths = border(height, width, entry.smallest)
            size = (height + widths[2] + widths[3], width + widths[0] + widths[1])
            net = entry.build(channels, size, classes)
    # Mean and std get the dtype of the weights.
    dtype = torch.get_default_dtype()
    mean, std = (None if moment is None else moment.to("cpu", dtype) for moment in (mean, std))
    return Classifier(net, mean, std, widths)


def shape_fault(name: str, image: tuple[int, ...]) -> str | None:
    """Why the built-in model called ``name`` cannot take examples of the shape ``image``; None where it can.

    >>> shape_fault("nn-2", (30,)) is None
    True
    """
    entry = _CATALOG.get(name)
    if entry is None or entry.flattens or len(image) == 3:
        return None
    others = ", ".join(other.name for other in _CATALOG.values() if other.flattens)
    return f"{name} takes images [C, H, W], but got examples of the shape {list(image)}; take {others}, or your own"


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

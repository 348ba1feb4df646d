"""The models by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.models import densenet, googlenet, lenet, resnet_cifar, resnet_torchvision, small_cnn, vgg
from tune_reg.models.classifier import Classifier, border
from tune_reg.models.own import build_own
from tune_reg.models.perceptron import perceptron
from tune_reg.models.resnet_keras import resnet_keras
from tune_reg.user_function import import_function


@dataclass(frozen=True)
class _Entry:
    title: str
    build: Callable[[int, tuple[int, int], int], nn.Module]
    """(channels, (height, width), classes) -> net."""
    smallest: int = 1
    """Smaller images get a black border up to this side."""
    dropout: bool = False
    """Whether there are dropout layers."""


def _perceptron(title: str, *hidden: int) -> _Entry:
    return _Entry(title, partial(perceptron, hidden=hidden), dropout=True)


def _cifar(title: str, n: int) -> _Entry:
    return _Entry(title, partial(resnet_cifar.resnet, n=n))


_CATALOG: Final = {
    "nn-2": _perceptron("perceptron 512-512 (AdaDecay)", 512, 512),
    "nn-2-small": _perceptron("perceptron 300-100, the cheap form of nn-2", 300, 100),
    "nn-3": _perceptron("perceptron 512-512-512 (AdaDecay)", 512, 512, 512),
    "nn-3-small": _perceptron("perceptron 300-100-100, the cheap form of nn-3", 300, 100, 100),
    "lenet-4": _Entry("conv5-20, conv5-50, FC500 (AdaDecay)", lenet.lenet_4, lenet.SMALLEST, dropout=True),
    "small-cnn": _Entry("conv3-32, conv3-64, conv3-64, FC64 (thesis)", small_cnn.small_cnn, small_cnn.SMALLEST),
    "vgg-9": _Entry(
        "twice conv3-64, -128, -256 with BN, FC256, FC256 (AdaDecay)", vgg.vgg_9, vgg.SMALLEST, dropout=True
    ),
    "resnet-14": _cifar("ResNet for CIFAR, option A, 0.17 M (weight-decay taper)", 2),
    "resnet-20": _cifar("ResNet for CIFAR, option A, 0.27 M (residual smoothing)", 3),
    "resnet-32": _cifar("ResNet for CIFAR, option A, 0.46 M (weight-decay taper)", 5),
    "resnet-56": _cifar("ResNet for CIFAR, option A, 0.85 M (residual smoothing)", 9),
    "resnet-8-keras": _Entry("Keras' ResNet v1 for CIFAR, 1x1 shortcuts, 0.08 M (thesis)", partial(resnet_keras, n=1)),
    "resnet-20-keras": _Entry("Keras' ResNet v1 for CIFAR, 1x1 shortcuts, 0.27 M (thesis)", partial(resnet_keras, n=3)),
    "resnet-18": _Entry(
        "ResNet-18, 3x3 stem, 11.2 M (AdaDecay)",
        partial(resnet_torchvision.resnet, depth=18),
        resnet_torchvision.SMALLEST,
    ),
    "resnet-50": _Entry(
        "ResNet-50, 3x3 stem, 23.5 M (AdaDecay)",
        partial(resnet_torchvision.resnet, depth=50),
        resnet_torchvision.SMALLEST,
    ),
    "googlenet": _Entry("GoogLeNet, 3x3 stem, 6.2 M (AdaDecay)", googlenet.googlenet, googlenet.SMALLEST),
    "densenet-bc-100-12": _Entry(
        "DenseNet-BC, depth 100, growth 12, 0.77 M (residual smoothing, AdaDecay)",
        densenet.densenet_bc_100_12,
        densenet.SMALLEST,
    ),
}

MODELS: Final[dict[str, str]] = {name: entry.title for name, entry in _CATALOG.items()}
"""Name -> one line, of the built-in models."""


def build(name: str, *, image: tuple[int, int, int], classes: int, mean: Tensor, std: Tensor, seed: int) -> nn.Module:
    """A new net on the CPU: float [B, C, H, W] in [0, 1] to logits [B, classes].

    name: one of MODELS, or ``package.module:function(channels, (height, width), classes) -> nn.Module`` of
    one's own. image: (C, H, W). mean, std: [C] of the training images in [0, 1]; the normalisation lies
    inside the model, for one's own net too. The first weights depend on the seed alone, and torch's own random
    state is left as it was. Raises StudyError.

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
    # devices=[]: only the CPU's generator is used, so only its state has to be put back.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        if name in _CATALOG:
            entry = _CATALOG[name]
            around = border(height, width, entry.smallest)
            size = (height + around[2] + around[3], width + around[0] + around[1])
            net = entry.build(channels, size, classes)
        else:
            around = (0, 0, 0, 0)
            net = build_own(name, channels, (height, width), classes)
    # The dtype that the weights got, whatever the statistics were counted in.
    dtype = torch.get_default_dtype()
    return Classifier(net, mean.to("cpu", dtype), std.to("cpu", dtype), around)


def check(name: str) -> None:
    """Raise StudyError for a name that is neither in MODELS nor a function that can be imported."""
    if name in _CATALOG:
        return
    if ":" in name:
        import_function(name, "model")
        return
    raise StudyError(f"unknown model {name!r}{did_you_mean(name, _CATALOG)}, or your own as package.module:function")


def supports_dropout(name: str) -> bool:
    """Whether the model that is called ``name`` can have dropout, known without building it.

    True for one's own model, whose layers are only known once it is built: ``set_dropout`` then refuses a net
    without ``tune_reg.models.Dropout`` layers. Raises StudyError for an unknown name.

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

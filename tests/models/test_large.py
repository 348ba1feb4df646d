"""The nets that come from torchvision or have the form of a widespread implementation."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from tune_reg.models import densenet, googlenet, resnet_torchvision
from tune_reg.models.densenet import densenet_bc_100_12
from tune_reg.models.googlenet import Inception
from tune_reg.models.resnet_torchvision import resnet
from tune_reg.models.vgg import vgg_9

torch.set_num_threads(1)


def maps(net, layers, image):
    """Shapes of what the layers give for an image."""
    shapes = []
    for layer in layers:
        layer.register_forward_hook(lambda *args: shapes.append(tuple(args[2].shape[1:])))
    with torch.no_grad():
        net.eval()(torch.rand(1, *image))
    return shapes


@pytest.mark.parametrize(("depth", "factor"), [(18, 1), (50, 4)])
def test_stages_of_the_resnets(depth, factor):
    net = resnet(3, (32, 32), 10, depth=depth)
    stages = [net.conv1, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4]
    sides = {64: 32, 128: 16, 256: 8, 512: 4}
    assert maps(net, stages, (3, 32, 32)) == [(64, 32, 32)] * 2 + [(factor * c, s, s) for c, s in sides.items()]
    weighted = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == depth + (3 if depth == 18 else 4), "and a projection where a stage changes the channels"


def test_stages_of_the_densenet():
    net = densenet_bc_100_12(3, (32, 32), 10)
    names, layers = zip(*net.features.named_children(), strict=True)
    assert " ".join(names) == "conv0 denseblock1 transition1 denseblock2 transition2 denseblock3 norm5"
    assert maps(net, layers, (3, 32, 32)) == [
        (24, 32, 32),
        (216, 32, 32),
        (108, 16, 16),
        (300, 16, 16),
        (150, 8, 8),
        (342, 8, 8),
        (342, 8, 8),
    ]
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in net.modules()) == 100


def test_stages_of_googlenet():
    net = googlenet.googlenet(3, (32, 32), 10)
    modules = [m for m in net if isinstance(m, Inception)]
    channels = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    sides = [32] * 2 + [16] * 5 + [8] * 2
    assert maps(net, modules, (3, 32, 32)) == [(c, s, s) for c, s in zip(channels, sides, strict=True)]
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 1 + 9 * 7
    assert all(c.bias is not None for c in convs)


def test_an_inception_module_sees_with_four_branches():
    """How far each branch looks: 1, 3, 5 and, through the pool, 3 pixels wide."""
    module = Inception(2, (1, 1, 1, 1, 1, 1)).double()
    for p in module.parameters():
        nn.init.uniform_(p, 0.5, 1)  # positive: no ReLU cuts anything off
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
    x = (1 + torch.rand(1, 2, 9, 9, dtype=torch.float64)).requires_grad_()
    seen = []
    for out in module(x)[0, :, 4, 4]:
        (gradient,) = torch.autograd.grad(out, x, retain_graph=True)
        touched = gradient[0].abs().sum(0).nonzero()
        assert (touched - 4).abs().max() <= 2
        seen.append(len(touched))
    assert seen[:3] == [1, 9, 25]
    assert 1 <= seen[3] <= 2, "one largest pixel a channel"


@pytest.mark.parametrize(
    ("net", "smallest"),
    [
        (lambda size: resnet(1, size, 3, depth=18), resnet_torchvision.SMALLEST),
        (lambda size: densenet_bc_100_12(1, size, 3), densenet.SMALLEST),
        (lambda size: googlenet.googlenet(1, size, 3), googlenet.SMALLEST),
    ],
)
def test_the_smallest_image(net, smallest):
    """In a batch of one image, batch normalisation needs more than one pixel."""
    assert net((smallest, smallest))(torch.rand(1, 1, smallest, smallest)).shape == (1, 3)
    less = smallest - 1
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net((less, less))(torch.rand(1, 1, less, less))


def check_he(layer, fan):
    tolerance = 5 / math.sqrt(2 * layer.weight.numel())  # 5 standard errors of a standard deviation
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan), rel=tolerance)
    assert layer.bias is None


def test_he_weights_by_fan_out_of_the_resnet():
    torch.manual_seed(0)
    for layer in resnet(1, (28, 28), 10, depth=18).modules():
        if isinstance(layer, nn.Conv2d):
            check_he(layer, layer.out_channels * math.prod(layer.kernel_size))


def test_he_weights_by_fan_in_of_the_densenet():
    torch.manual_seed(0)
    net = densenet_bc_100_12(1, (28, 28), 10)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            check_he(layer, layer.in_channels * math.prod(layer.kernel_size))
    assert not net.classifier.bias.any()


def test_vgg_9_layer_by_layer():
    net = vgg_9(3, (32, 32), 10)
    convs = [m for m in net if isinstance(m, nn.Conv2d)]
    widths = [3, 64, 64, 128, 128, 256, 256]
    assert [(c.in_channels, c.out_channels) for c in convs] == list(pairwise(widths))
    block = ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"]
    assert [type(m).__name__ for m in net] == block * 3 + ["Flatten", *["Linear", "Sequential"] * 2, "Linear"]

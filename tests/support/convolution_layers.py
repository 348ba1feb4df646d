"""Small layers of odd sizes, strides, paddings and dilations, and what each must give: K convolutions of torch."""

import torch

from tune_reg.training.lanes.convolutions import Geometry

#: By name: lanes, images [B, C, H, W], weights [O, C / groups, h, w], and the geometry.
LAYERS = {
    "one channel": (3, (2, 1, 6, 5), (4, 1, 3, 3), Geometry()),
    "odd": (2, (3, 3, 7, 8), (5, 3, 2, 3), Geometry((2, 1), (1, 2), (1, 2))),
    "strides skip pixels": (2, (1, 2, 8, 9), (3, 2, 2, 2), Geometry((3, 4), (0, 1), (2, 1))),
    "one by one": (1, (2, 4, 3, 3), (2, 4, 1, 1), Geometry((2, 2))),
    "groups": (3, (2, 4, 5, 6), (6, 2, 2, 3), Geometry((1, 2), (1, 0), (2, 1), 2)),
}


def tensors_of(name, shared=False, dtype=torch.float64, device="cpu"):
    """Inputs, weights and bias of a layer, all of which need gradients."""
    lanes, images, weights, _ = LAYERS[name]
    generator = torch.Generator().manual_seed(0)
    shapes = (images if shared else (lanes, *images)), (lanes, *weights), (lanes, weights[0])
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [tensor.to(device, dtype).requires_grad_() for tensor in drawn]


def separate(inputs, weights, bias, geometry):
    """What a formulation must give: as many calls of torch's convolution as there are lanes."""
    shared = inputs.ndim < weights.ndim
    return torch.stack(
        [
            torch.nn.functional.conv2d(inputs if shared else inputs[lane], kernel, bias[lane], *geometry)
            for lane, kernel in enumerate(weights)
        ]
    )


def derivatives(function, tensors, geometry):
    """Outputs, the gradients of a function of them that is not linear, and the gradients of the gradients' squares."""
    outputs = function(*tensors, geometry)
    first = torch.autograd.grad((outputs.sin() + outputs**2 / 3).sum(), tensors, create_graph=True)
    second = torch.autograd.grad(sum(gradient.square().sum() for gradient in first), tensors)
    return [outputs, *first, *second]


def distance(some, others):
    """The largest distance of tensors from others, as a share of the others' norm."""
    some, others = ([tensor.detach().double() for tensor in tensors] for tensors in (some, others))
    return max(float((one - other).norm() / other.norm()) for one, other in zip(some, others, strict=True))

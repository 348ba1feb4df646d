import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from tune_reg.evaluation import checks, deepfool, pgd
from tune_reg.evaluation.attacks import correct


def warnings_of(model, images, labels, epsilons=(0.05, 0.1), norm="linf"):
    withstood = pgd(model, images, labels, epsilons, norm=norm)
    return checks.pgd_warnings(model, images, labels, epsilons, withstood, norm=norm, seed=0)


class Changed(nn.Module):
    """A net with something done to its inputs and outputs."""

    def __init__(self, net, inputs=lambda x: x, outputs=lambda x: x):
        super().__init__()
        self.net, self.inputs, self.outputs = net, inputs, outputs

    def forward(self, images):
        return self.outputs(self.net(self.inputs(images)))


class Reversed(torch.autograd.Function):
    """The image as it is; its gradient with the other sign."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_sound_model_has_no_warning(net, norm):
    epsilons = {"linf": [0.02, 0.1, 0.3], "l2": [0.2, 1.0]}[norm]
    assert warnings_of(*net, epsilons, norm) == [None] * len(epsilons)


def test_a_linear_model_has_no_warning(linear):
    assert warnings_of(*linear) == [None, None]
    assert warnings_of(*linear, norm="l2") == [None, None]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rounded_inputs_mask_gradients(net, norm):
    model, images, labels = net
    model = Changed(model, inputs=lambda x: (8 * x).round() / 8 + 0 * x)
    right = int(correct(model, images, labels).sum())
    assert right > 70
    for warning in warnings_of(model, images, labels, norm=norm):
        assert f"gradients may be masked: they vanish at {right} of 90 images" in warning
        assert "withstand the radius" in warning


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_saturated_softmax_masks_gradients(net, norm):
    model, images, labels = net
    model = Changed(model.float(), outputs=lambda x: 3000 * x)
    for warning in warnings_of(model, images.float(), labels, norm=norm):
        assert "gradients may be masked: they vanish at " in warning
        assert "withstand the radius" in warning
    model.double()


def test_a_gradient_too_short_for_foolbox_to_scale_is_none(net):
    model, images, labels = net
    flat = Changed(model, outputs=lambda x: 1e-14 * x)
    assert checks.vanishing(flat, images, labels) is None
    assert checks.vanishing(flat, images, labels, floor=1e-12).startswith("gradients may be masked")


def test_pgd_weaker_than_a_single_step(net):
    model, images, labels = net

    def wrong_way_off_the_grid(x):
        # Images of the data set are multiples of 1/255; the attack's iterates are not.
        on_grid = ((255 * x - (255 * x).round()).abs() < 1e-4).flatten(1).all(1).reshape(-1, 1, 1, 1)
        return torch.where(on_grid, x, Reversed.apply(x))

    model = Changed(model, inputs=wrong_way_off_the_grid)
    for warning in warnings_of(model, images, labels):
        assert warning.startswith("PGD is weaker than a single step: ")
        assert "they vanish" not in warning


def test_more_steps_that_help_the_model(net):
    model, images, labels = net

    class WrongWayAfterTwelve(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.steps, self.last = model, 0, None

        def forward(self, x):
            if not x.requires_grad:
                self.steps = 0
                return self.net(x)
            self.steps += 1
            return self.net(x if self.steps <= 12 else Reversed.apply(x))

    for warning in warnings_of(WrongWayAfterTwelve(), images, labels):
        assert "more steps help the model: " in warning
        assert "they vanish" not in warning


def test_a_class_that_is_always_said_is_no_failure_of_the_attack():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(model[1].weight)
    images = torch.rand(60, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 2
    assert checks.failing(model, images, labels, norm="linf", seed=0) is None
    # Nothing can fool it, and yet more than one class's images withstanding would be a failure.
    by_mean = Changed(nn.Identity(), outputs=lambda x: functional.one_hot((x.mean((1, 2, 3)) > 0.5).long(), 2).float())

    class NoGradient(nn.Module):
        def forward(self, x):
            return by_mean(x) + 0 * x.sum()

    labels = (images.mean((1, 2, 3)) > 0.5).long()
    assert "withstand the radius 0.5, where none can" in checks.failing(
        NoGradient(), images, labels, norm="linf", seed=0
    )
    assert "withstand the radius 1, " in checks.failing(NoGradient(), images, labels, norm="l2", seed=0)


def test_a_minimal_distance_attack_that_finds_nothing(net):
    model, images, labels = net
    model = Changed(model, inputs=lambda x: (8 * x).round() / 8 + 0 * x)
    distances = deepfool(model, images, labels)
    right = int(correct(model, images, labels).sum())
    assert checks.not_found(distances) == (
        f"gradients may be masked: no wrong image was found for {right} of 90, which count as robust"
    )
    assert checks.not_found(torch.tensor([0.0, 1.0] * 50)) is None
    assert checks.not_found(torch.tensor([math.inf] + [1.0] * 99)) is None


@pytest.mark.parametrize(
    ("more", "less", "n", "expected"),
    [(1, 0, 10, False), (2, 0, 10, True), (3, 0, 300, False), (4, 0, 300, True), (5, 9, 100, False)],
)
def test_tolerance_is_one_image_or_one_in_a_hundred(more, less, n, expected):
    assert checks.exceeds(more, less, n) is expected


def test_warnings_are_joined():
    assert checks.joined(["a", None, "b"]) == "a; b"
    assert checks.joined([None, None]) is None

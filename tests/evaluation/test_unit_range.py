"""Attacks and noise on examples that are not in [0, 1]: radii are in units of the data's range."""

import numpy as np
import torch

from tune_reg.data import from_arrays
from tune_reg.evaluation.attacks import fast_gradient
from tune_reg.evaluation.unit_range import in_unit_range


def test_a_radius_is_a_share_of_the_range_of_each_feature():
    """On a linear model the fast gradient sign method moves each feature by the radius times its range."""
    examples = np.array([[-4.0, 10, 3], [4, 30, 3]], np.float32)
    data = from_arrays("table", examples, [0, 1], examples, [0, 1])
    linear = torch.nn.Linear(3, 2)
    model, scaled = in_unit_range(linear, data.test_images, data)
    assert scaled.tolist() == [[0, 0, 0], [1, 1, 0]]  # a feature that is always the same stays as it is
    torch.testing.assert_close(model(scaled), linear(data.test_images))
    margin = (linear.weight[0] - linear.weight[1]).detach()
    inside = torch.tensor([[0.1, 0.1, 0], [0.9, 0.9, 0]])
    for epsilon in (0.01, 0.05, 0.1):
        moved = epsilon * (margin.abs() * torch.tensor([8.0, 20.0, 0.0])).sum()
        there = model(inside).detach()
        right = there[:, 0] - there[:, 1]
        expected = [bool(right[0] - moved > 0), bool(-right[1] - moved > 0)]
        assert fast_gradient(model, inside, torch.tensor([0, 1]), [epsilon])[0].tolist() == expected


def test_images_of_bytes_stay_as_they_are():
    images = np.zeros((2, 4, 4), np.uint8)
    data = from_arrays("images", images, [0, 1], images, [0, 1])
    model, examples = torch.nn.Flatten(), torch.rand(2, 1, 4, 4)
    assert in_unit_range(model, examples, data) == (model, examples)

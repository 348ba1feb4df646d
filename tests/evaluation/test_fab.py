"""FAB: its projection against solvers of scipy, its distances where the nearest wrong image is known, and its place."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import nn

from tests.training.test_cuda_graphs import Recorded
from tune_reg.evaluation import attacks, autoattack, deepfool
from tune_reg.evaluation.autoattack import fab
from tune_reg.evaluation.autoattack.fab import to_boundary
from tune_reg.evaluation.captured_model import CapturedModel

DUAL = {"linf": 1, "l2": 2}
NORMS = pytest.mark.parametrize("norm", ["linf", "l2"])


def problems(shape, count=12, seed=0):
    """Points in the box, some of them on its edge, with linear functions of which some are nowhere 0 in it."""
    drawn = torch.Generator().manual_seed(seed)
    points = (1.2 * torch.rand(count, *shape, generator=drawn, dtype=torch.float64) - 0.1).clamp(0, 1)
    gradient = torch.randn(count, *shape, generator=drawn, dtype=torch.float64)
    gradient[:, 0, 0, 0] = 0
    lowest = -(gradient.clamp(min=0) * points - gradient.clamp(max=0) * (1 - points)).flatten(1).sum(1)
    highest = (gradient.clamp(min=0) * (1 - points) - gradient.clamp(max=0) * points).flatten(1).sum(1)
    share = torch.linspace(-0.2, 1.2, count, dtype=torch.float64)  # of the way from the lowest value to the highest
    return points, -(lowest + share * (highest - lowest)), gradient, (share >= 0) & (share <= 1)


# Projection


@NORMS
@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 3, 5), (3, 2, 4)])
def test_the_projection_is_that_of_a_solver(norm, shape):
    points, values, gradient, possible = problems(shape)
    shifts = to_boundary(points, values, gradient, norm)
    for point, value, slope, shift in zip(*(t[possible] for t in (points, values, gradient, shifts)), strict=True):
        moved, weights = shift.flatten().numpy(), slope.flatten().numpy()
        bounds = [(-x, 1 - x) for x in point.flatten().tolist()]
        assert float(value) + weights @ moved == pytest.approx(0, abs=1e-12)
        assert all(low - 1e-15 <= d <= high + 1e-15 for d, (low, high) in zip(moved, bounds, strict=True))
        if norm == "linf":
            assert abs(moved).max() == pytest.approx(least_in_linf(weights, float(value), bounds), abs=1e-9)
        else:
            np.testing.assert_allclose(moved, nearest_in_l2(weights, float(value), bounds), atol=1e-6)


def least_in_linf(weights, value, bounds):
    """The least t with ``|d_i| <= t`` and ``value + weights d = 0``, as a linear program in d and t."""
    count = len(weights)
    each = np.eye(count), -np.ones((count, 1))
    beyond = np.block([[each[0], each[1]], [-each[0], each[1]]])
    solved = linprog(
        np.r_[np.zeros(count), 1],
        A_ub=beyond,
        b_ub=np.zeros(2 * count),
        A_eq=np.r_[weights, 0][None],
        b_eq=[-value],
        bounds=[*bounds, (0, None)],
    )
    assert solved.success
    return solved.fun


def nearest_in_l2(weights, value, bounds):
    plane = {"type": "eq", "fun": lambda d: weights @ d + value, "jac": lambda d: weights}
    solved = minimize(
        lambda d: d @ d,
        np.zeros(len(weights)),
        jac=lambda d: 2 * d,
        bounds=bounds,
        constraints=plane,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert solved.success
    return solved.x


@NORMS
def test_where_the_boundary_is_out_of_reach_the_nearest_corner_is_taken(norm):
    points, values, gradient, possible = problems((2, 3, 3))
    moved = points + to_boundary(points, values, gradient, norm)
    assert (~possible).sum() >= 4
    for value, slope, before, after in zip(*(t[~possible] for t in (values, gradient, points, moved)), strict=True):
        corner = (slope < 0 if value > 0 else slope > 0).to(after)
        torch.testing.assert_close(after, torch.where(slope == 0, before, corner), rtol=0, atol=1e-12)


@NORMS
def test_points_on_the_boundary_and_flat_functions_stay(norm):
    points, values, gradient, _ = problems((1, 2, 3))
    assert not to_boundary(points, torch.zeros_like(values), gradient, norm).any()
    assert not to_boundary(points, values, torch.zeros_like(gradient), norm).any()


@NORMS
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12])
def test_the_scale_of_the_function_does_not_matter(norm, scale):
    """In float32, where the square of a gradient of 1e-30 is 0."""
    points, values, gradient, possible = problems((3, 5, 5))
    exact = to_boundary(points, values, gradient, norm)[possible]
    rough = to_boundary(points.float(), (scale * values).float(), (scale * gradient).float(), norm)[possible]
    torch.testing.assert_close(rough.double(), exact, rtol=0, atol=1e-4)


# Distances


@NORMS
def test_on_a_linear_model_the_least_perturbation_is_found(linear, norm):
    model, images, labels = linear
    images, labels = images[10:], labels[10:]  # those that the model gets right
    value, w = model.value(images).detach(), model.w.detach().view(3, 4, 4)
    direction = w.sign() if norm == "linf" else w
    nearest = images - (value / (w * direction).sum()).view(-1, 1, 1, 1) * direction
    inside = ((nearest >= 0) & (nearest <= 1)).flatten(1).all(1)
    assert inside.sum() > 100, "the box cuts nothing"
    least = value.abs() / w.norm(p=DUAL[norm])
    found = fab(model, images, labels, 1 - labels, norm=norm, steps=20)
    assert (found >= least).all()
    torch.testing.assert_close(found[inside], least[inside], rtol=0.01, atol=0)


@NORMS
def test_on_a_linear_model_at_the_edge_of_the_box_too(linear, norm):
    """Where the box cuts, the least perturbation is the projection of the image, which is tested above."""
    model, images, _ = linear
    images = (images > 0.5).double() * 0.9 + 0.05
    value = model.value(images).detach()
    labels = (value > 0).long()
    shift = to_boundary(images, value, model.w.detach().view(3, 4, 4).expand_as(images), norm)
    least = shift.flatten(1).norm(p=math.inf if norm == "linf" else 2, dim=1)
    assert (least > 1.05 * value.abs() / model.w.detach().norm(p=DUAL[norm])).double().mean() > 0.3, "the box cuts"
    found = fab(model, images, labels, 1 - labels, norm=norm, steps=20)
    assert (found >= least).all()
    torch.testing.assert_close(found, least, rtol=0.01, atol=0)


@NORMS
def test_each_distance_is_that_of_a_wrong_image_that_the_model_has_seen(net, norm):
    model, images, labels = right_images(net, 20)
    linearised_at, looked_at = [], []

    class Watched(nn.Module):
        def forward(self, x):
            (linearised_at if x.requires_grad else looked_at).append(x.detach())
            return model(x)

    found = fab(Watched(), images, labels, (labels + 1) % 10, norm=norm, steps=15)
    assert len(linearised_at) == len(looked_at) == 15
    points = torch.stack(looked_at)
    assert points.min() >= 0
    assert points.max() <= 1
    with torch.no_grad():
        wrong = torch.stack([model(x).argmax(1) != labels for x in looked_at])
    distances = (points - images).flatten(2).norm(p=math.inf if norm == "linf" else 2, dim=2)
    torch.testing.assert_close(found, distances.where(wrong, torch.inf).amin(0), rtol=1e-12, atol=0)
    assert found.isfinite().double().mean() > 0.9


def test_it_finds_images_no_farther_than_deepfool(net):
    model, images, labels = right_images(net, 40)
    with torch.no_grad():
        ranked = model(images).argsort(1, descending=True)
    least = torch.stack([fab(model, images, labels, ranked[:, k], norm="l2", steps=30) for k in (1, 2, 3)]).amin(0)
    assert (least <= 1.01 * deepfool(model, images, labels)).double().mean() > 0.9


@NORMS
def test_where_no_gradient_leads_anywhere_nothing_is_found(norm):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    nn.init.zeros_(model[1].weight)
    model[1].bias.data = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    images, labels = torch.rand(3, 1, 2, 2, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    assert fab(model, images, labels, labels + 1, norm=norm, steps=3).tolist() == [math.inf] * 3


@NORMS
def test_replayed_passes_find_the_same(net, norm):
    model, images, labels = right_images(net, 12)
    arguments = images, labels, (labels + 1) % 10
    graphs = Recorded()
    with attacks.attackable(model):
        replayed = fab(CapturedModel(model, graphs), *arguments, norm=norm, steps=15)
        assert replayed.equal(fab(model, *arguments, norm=norm, steps=15))
    assert graphs.captured == 1
    assert graphs.replayed >= 1


# Its place in AutoAttack


@NORMS
def test_autoattack_counts_what_fab_finds_within_the_radius_alone(net, norm, monkeypatch):
    """With the other attacks idle, what is left is what FAB finds nothing for within the radius."""

    def idle(model, images, *_, **__):
        return torch.zeros(len(images), dtype=torch.bool)

    monkeypatch.setattr(attacks, "apgd", idle)
    monkeypatch.setattr(attacks, "square", idle)
    monkeypatch.setattr(attacks, "FAB_STEPS", 10)
    model, images, labels = right_images(net, 40)
    with torch.no_grad():
        logits = model(images).scatter(1, labels.unsqueeze(1), -math.inf)
    targets = logits.argsort(1, descending=True)[:, :9].T
    nearest = torch.stack([fab(model, images, labels, target, norm=norm, steps=10) for target in targets]).amin(0)
    epsilons = nearest.quantile(torch.tensor([0.25, 0.75]).double()).tolist()
    withstood = autoattack(model, images, labels, epsilons, norm=norm)
    assert withstood.sum(1).tolist() == [30, 10]
    assert withstood.equal(torch.stack([nearest > epsilon for epsilon in epsilons]))


def test_autoattack_asks_its_attacks_in_the_standard_order_each_for_what_is_left(net, monkeypatch):
    asked = []

    def attack(name, result):
        def run(model, images, *_, **__):
            asked.append((name, len(images)))
            return result(torch.arange(len(images)) == 0)  # each fells the first image that is left

        return run

    monkeypatch.setattr(attacks, "apgd", attack("apgd", lambda fooled: fooled))
    monkeypatch.setattr(attacks, "fab", attack("fab", lambda fooled: torch.where(fooled, 0.1, torch.inf)))
    monkeypatch.setattr(attacks, "square", attack("square", lambda fooled: fooled))
    monkeypatch.setattr(attacks, "TARGETS", 2)
    assert int(autoattack(*right_images(net, 12), [0.1]).sum()) == 6
    assert asked == [("apgd", 12), ("apgd", 11), ("apgd", 10), ("fab", 9), ("fab", 8), ("square", 7)]


def right_images(net, count):
    """The net, and the first images that it gets right."""
    model, images, labels = net
    index = attacks.correct(*net).nonzero().flatten()[:count]
    assert len(index) == count
    return model.eval(), images[index], labels[index]

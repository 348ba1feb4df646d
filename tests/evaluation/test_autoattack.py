"""AutoAttack: where the answer is known, against PGD, and against numbers of another implementation."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from tune_reg.evaluation import RobustnessSettings, attacks, autoattack, pgd, robustness
from tune_reg.evaluation.autoattack import apgd, cross_entropy, margin, square, targeted_difference
from tune_reg.evaluation.autoattack.apgd import project
from tune_reg.evaluation.checks import too_weak

NORMS = pytest.mark.parametrize(("norm", "dual", "short"), [("linf", 1, 0.001), ("l2", 2, 0.02)])


@pytest.fixture
def quick_search(monkeypatch):
    """Fewer steps, as many as PGD takes for APGD, fewer targets and fewer queries, so that tests are quick."""
    monkeypatch.setattr(attacks, "APGD_STEPS", attacks.PGD_STEPS)
    monkeypatch.setattr(attacks, "FAB_STEPS", 10)
    monkeypatch.setattr(attacks, "TARGETS", 3)
    monkeypatch.setattr(attacks, "SQUARE_QUERIES", 200)


def radii(linear, dual):
    """Radii at which a quarter, a half and three quarters of the images can become wrong, and each image's reach."""
    model, images, _ = linear
    value, reach = model.value(images).detach(), float(model.w.detach().norm(p=dual))
    return value, reach, torch.quantile(value.abs() / reach, torch.tensor([0.25, 0.5, 0.75]).to(value)).tolist()


# On a linear model f moves by epsilon times the dual norm of w, and no further.


@NORMS
@pytest.mark.parametrize("which", ["ensemble", "cross-entropy", "targeted"])
def test_on_a_linear_model_the_optimum_is_reached(linear, norm, dual, short, which, quick_search):
    model, images, labels = linear
    value, reach, epsilons = radii(linear, dual)
    right = (value > 0) == (labels == 1)
    losses = {
        "cross-entropy": lambda z, y, _: cross_entropy(z, y),
        "targeted": lambda z, y, _: targeted_difference(z, y, 1 - y),
    }
    for epsilon in epsilons:
        if which == "ensemble":
            left = autoattack(*linear, [epsilon], norm=norm)[0]
        else:
            starts = attacks._starts(images, norm, 0)
            left = ~apgd(model, images, labels, starts, epsilon, norm=norm, loss=losses[which], steps=40)
        distance = value.abs() / (epsilon * reach)
        clear = (distance < 1 - short) | (distance > 1)
        assert clear.sum() > 130
        assert left[clear].equal((right & (distance > 1))[clear])
        assert 0.1 < left.double().mean() < 0.9


@NORMS
def test_square_never_exceeds_the_optimum_and_comes_near_without_gradients(linear, norm, dual, short):
    model, images, labels = linear
    value, reach, epsilons = radii(linear, dual)
    source = torch.Generator().manual_seed(0)
    fooled = square(model, images, labels, epsilons[1], norm=norm, queries=600, source=source)
    can_be = value.abs() < epsilons[1] * reach
    wrong_anyway = (value > 0) != (labels == 1)
    assert not (fooled & ~can_be & ~wrong_anyway).any()
    assert fooled[wrong_anyway].all()
    near = value.abs() < (0.9 if norm == "linf" else 0.6) * epsilons[1] * reach
    assert fooled[near].double().mean() > 0.95


# On a trained net


@pytest.mark.parametrize(("norm", "epsilons"), [("linf", [0.02, 0.05, 0.1]), ("l2", [0.2, 0.5, 1.0])])
def test_the_ensemble_is_never_weaker_than_pgd(net, norm, epsilons, quick_search):
    """At 40 steps each; within one image of 90, since neither attack sees what the other finds."""
    withstood = autoattack(*net, epsilons, norm=norm, seed=1)
    from_pgd = pgd(*net, epsilons, norm=norm, seed=1)
    assert (withstood.sum(1) <= from_pgd.sum(1) + 1).all()
    assert (withstood & ~from_pgd).sum() <= 1
    assert (withstood[:-1] | ~withstood[1:]).all(), "what withstands a radius withstands every smaller one"
    model, images, labels = net
    starts, right = attacks._starts(images, norm, 1), attacks.correct(*net)
    for epsilon, row in zip(epsilons, from_pgd, strict=True):
        arguments = {"norm": norm, "loss": lambda z, y, _: cross_entropy(z, y), "steps": attacks.PGD_STEPS}
        left = right & ~apgd(model, images, labels, starts, epsilon, **arguments)
        assert left.sum() <= row.sum() + 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_wrong_image_lies_in_the_ball(net, norm):
    model, images, labels = net
    epsilon, seen = {"linf": 0.01, "l2": 0.05}[norm], []

    class Watched(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return model(x)

    watched = Watched()
    arguments = {"norm": norm, "loss": lambda z, y, _: cross_entropy(z, y), "steps": 15}
    one = int(attacks.correct(*net).nonzero()[0])
    first, label = images[one : one + 1], labels[one : one + 1]
    apgd(watched, first, label, attacks._starts(first, norm, 0), epsilon, **arguments)
    square(watched, first, label, epsilon, norm=norm, queries=60, source=torch.Generator().manual_seed(0))
    assert len(seen) == 16 + 61
    for x in seen:
        moved = (x - first).flatten(1)
        length = moved.abs().max() if norm == "linf" else moved.norm()
        assert length <= epsilon * (1 + 1e-9)
        assert x.min() >= 0
        assert x.max() <= 1


def test_a_hidden_gradient_does_not_help_against_square(net, quick_search):
    """A model whose gradients are 0 withstands PGD and APGD, and falls to the search."""
    model, images, labels = net

    class Rounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model

        def forward(self, x):
            return self.net((32 * x).round() / 32 + 0 * x)

    hidden = Rounded()
    by_pgd = pgd(hidden, images, labels, [0.1])[0]
    by_all = autoattack(hidden, images, labels, [0.1])[0]
    assert by_all.sum() < 0.7 * by_pgd.sum()
    settings = RobustnessSettings(pgd_linf=[0.1], autoattack_linf=[0.1], autoattack_images=60, images=90)
    rows = {(row["test"], row["epsilon"]): row for row in robustness(hidden, images, labels, settings)}
    assert "AutoAttack leaves fewer of the same images right" in rows["pgd-linf", 0.1]["warning"]
    assert rows["autoattack-linf", 0.1]["warning"] is None
    assert [rows["autoattack-linf", epsilon]["n"] for epsilon in (0.0, 0.1)] == [60, 60]
    assert rows["pgd-linf", 0.1]["n"] == 90
    clean = attacks.correct(hidden, images[:60], labels[:60])
    assert rows["autoattack-linf", 0.0]["accuracy"] == float(clean.double().mean())
    assert rows["autoattack-linf", 0.1]["accuracy"] == pytest.approx(float(by_all[:60].double().mean()), abs=2 / 60)


def test_a_sound_model_is_not_flagged(net, quick_search):
    settings = RobustnessSettings(pgd_linf=[0.05, 0.1], autoattack_linf=[0.1])
    rows = robustness(*net, settings)
    assert {row["warning"] for row in rows} == {None}
    assert [row["epsilon"] for row in rows if row["test"] == "autoattack-linf"] == [0.0, 0.1]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_same_again_and_in_other_batches(net, norm, monkeypatch, quick_search):
    model, images, labels = net
    few = model, images[:30], labels[:30]
    whole = autoattack(*few, [0.05], norm=norm)
    assert autoattack(*few, [0.05], norm=norm).equal(whole)
    monkeypatch.setitem(attacks._BATCH, "cpu", 7)
    assert autoattack(*few, [0.05], norm=norm).equal(whole)


def test_radii_may_come_in_any_order(net, quick_search):
    model, images, labels = net
    few = model, images[:30], labels[:30]
    assert autoattack(*few, [0.1, 0.02]).flip(0).equal(autoattack(*few, [0.02, 0.1]))


def test_a_model_that_is_always_wrong_is_not_attacked():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(model[1].weight)
    model[1].bias.data = torch.tensor([1.0, 0.0])
    images, labels = torch.rand(3, 1, 2, 2), torch.ones(3, dtype=torch.int64)
    assert autoattack(model, images, labels, [0.1, 0.2]).tolist() == [[False] * 3] * 2


# Formulas


def test_the_difference_of_logits_ratio_is_its_formula():
    drawn = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 6, dtype=torch.float64, generator=drawn)
    labels, targets = torch.arange(20) % 6, (torch.arange(20) + 2) % 6
    made = targeted_difference(logits, labels, targets)
    for z, y, t, value in zip(logits.tolist(), labels.tolist(), targets.tolist(), made.tolist(), strict=True):
        ranked = sorted(z, reverse=True)
        expected = -(z[y] - z[t]) / (ranked[0] - 0.5 * (ranked[2] + ranked[3]))
        assert value == pytest.approx(expected, rel=1e-9)
    three = logits[:, :3]
    labels, targets = torch.arange(20) % 3, (torch.arange(20) + 1) % 3
    expected = three[torch.arange(20), targets] - three[torch.arange(20), labels]
    assert targeted_difference(three, labels, targets).equal(expected)
    assert (margin(logits, torch.zeros(20, dtype=torch.int64)) > 0).equal(logits.argmax(1) == 0)
    naive = functional.cross_entropy(logits, torch.zeros(20, dtype=torch.int64), reduction="none")
    assert cross_entropy(logits, torch.zeros(20, dtype=torch.int64)).equal(naive)


def test_points_are_put_back_into_ball_and_box():
    images, points = torch.full((1, 1, 2, 2), 0.9), torch.tensor([[[[1.5, 0.9], [0.2, 0.95]]]])
    expected = torch.tensor([[[[1.0, 0.9], [0.6, 0.95]]]])
    torch.testing.assert_close(project(points, images, 0.3, "linf"), expected)
    moved = project(points, images, 0.3, "l2") - images
    assert moved.norm() <= 0.3
    length = math.sqrt(0.6**2 + 0.7**2 + 0.05**2)
    torch.testing.assert_close(moved[0, 0, 1, 0], torch.tensor(-0.7 * 0.3 / length))


@pytest.mark.parametrize(("alone", "other", "warned"), [(3, 0, False), (4, 0, True), (10, 4, False), (20, 4, True)])
def test_pgd_is_flagged_beyond_the_error_of_the_difference(alone, other, warned):
    weak = torch.tensor([True] * (50 + alone) + [False] * other)
    strong = torch.tensor([True] * 50 + [False] * alone + [True] * other)
    assert (too_weak(weak, strong) is not None) == warned

"""Residual smoothing against the dense M x M matrix of equation 22, built here entry by entry."""

import itertools
import math

import numpy as np
import pytest
import torch

from tune_reg import ResidualSmoothingLoss
from tune_reg.regularizers.residual_smoothing import diffusivity, residual_smoothing_loss, smooth
from tune_reg.training.step import mean_squared_error

ANNEALINGS = ("laplace", "logistic", "constant")
TOTAL, STEP, MU, B, SCALE = 40, 13, 0.6, 0.35, 0.9


def naive_annealing(kind, p, mu=MU, b=B):
    if kind == "laplace":
        return math.exp(-abs(p - mu) / b)
    if kind == "logistic":
        return 1 / math.cosh((p - mu) / (2 * b)) ** 2
    return 1.0


def naive_kappa(residual, s, alpha):
    """Equations 10 and 18 to 20: numpy [B, M], one sample and one class at a time."""
    kappa = np.zeros_like(residual)
    for i, row in enumerate(residual):
        mean = sum(row) / len(row)
        sigma = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row))
        for j, x in enumerate(row):
            kappa[i, j] = s / (1 + math.exp(-alpha * (x - mean) / (sigma + 1e-8)))
    return kappa


def dense(kappa, orientation):
    """W of one sample as equation 22 has it, or its transpose."""
    classes = len(kappa)
    matrix = np.zeros((classes, classes))
    for j in range(classes):
        for k in range(classes):
            matrix[j, k] = 1 - kappa[j] if j == k else kappa[j] / (classes - 1)
    return matrix if orientation == "row" else matrix.T


def naive_loss(outputs, targets, s, alpha, output, orientation):
    """The loss with kappa held fixed, as a torch scalar, and the matrices it used."""
    total = outputs.new_zeros(())
    for row, target in zip(outputs, targets.tolist(), strict=True):
        h = torch.exp(row) / torch.exp(row).sum() if output == "softmax" else row
        one_hot = torch.zeros_like(row)
        one_hot[target] = 1
        d = (h - one_hot).abs()
        kappa = naive_kappa(d.detach().numpy()[None], s, alpha)[0]
        r = torch.tensor(dense(kappa, orientation)) @ d
        total = total + (r * r).sum()
    return total / len(outputs)


def batch(classes, size=5, seed=0):
    drawn = np.random.default_rng([seed, classes])
    outputs = torch.tensor(drawn.standard_normal((size, classes)) * 2)
    return outputs.requires_grad_(), torch.tensor(drawn.integers(0, classes, size))


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("orientation", ["row", "column"])
@pytest.mark.parametrize("output", ["softmax", "raw"])
@pytest.mark.parametrize("annealing", ANNEALINGS)
def test_value_and_gradient_equal_the_dense_matrix(annealing, output, orientation, classes):
    outputs, targets = batch(classes)
    for alpha in (0.0, 1.0, 4.0):
        loss = ResidualSmoothingLoss(
            TOTAL, annealing=annealing, mu=MU, b=B, alpha=alpha, scale=SCALE, output=output, orientation=orientation
        )(outputs, targets, STEP)
        s = SCALE * naive_annealing(annealing, STEP / TOTAL)
        expected = naive_loss(outputs, targets, s, alpha, output, orientation)
        assert loss.shape == ()
        assert loss.dtype == torch.float64
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        (gradient,), (expected_gradient,) = (torch.autograd.grad(value, outputs) for value in (loss, expected))
        assert gradient.abs().max() > 1e-6
        assert torch.allclose(gradient, expected_gradient, rtol=1e-10, atol=1e-13)


def test_the_gradient_goes_past_kappa_and_not_through_it():
    """A finite difference of the whole loss is another number than the gradient, one with kappa fixed is the same."""
    outputs, targets = batch(4)
    loss = ResidualSmoothingLoss(TOTAL, alpha=4.0)
    (gradient,) = torch.autograd.grad(loss(outputs, targets, 30), outputs)
    step = torch.zeros_like(outputs)
    step[0, 0] = 1e-6
    with torch.no_grad():
        through = (loss(outputs + step, targets, 30) - loss(outputs - step, targets, 30)) / 2e-6
    assert abs(through - gradient[0, 0]) > 1e-3 * abs(gradient[0, 0])


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_global_smoothing_has_its_closed_form(classes, scale):
    """alpha = 0: kappa = s/2 for all, and L = M mean^2 + (1 - kappa M/(M-1))^2 M Var per sample."""
    outputs, targets = batch(classes)
    s = scale * naive_annealing("laplace", 0.25)
    d = (torch.softmax(outputs, 1) - torch.eye(classes, dtype=torch.float64)[targets]).abs().detach()
    kappa = s / 2
    assert diffusivity(d, s, 0.0).flatten().tolist() == pytest.approx([kappa] * d.numel(), rel=1e-14)
    mean, variance = d.mean(1), d.var(1, correction=0)
    expected = (classes * mean**2 + (1 - kappa * classes / (classes - 1)) ** 2 * classes * variance).mean()
    loss = ResidualSmoothingLoss(4, mu=MU, b=B, alpha=0.0, scale=scale)(outputs, targets, 1)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_at_the_peak_the_variance_of_ten_classes_counts_a_fifth():
    assert pytest.approx(0.1975, abs=1e-4) == (1 - 0.5 * 10 / 9) ** 2
    d = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    r = smooth(d, diffusivity(d, 1.0, 0.0))
    assert float(r.var(correction=0) / d.var(correction=0)) == pytest.approx((4 / 9) ** 2, rel=1e-12)


@pytest.mark.parametrize("orientation", ["row", "column"])
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_smoothing_equals_the_matrix_and_passes_gradcheck(orientation, classes):
    drawn = np.random.default_rng(classes)
    d = torch.tensor(drawn.random((4, classes)))
    kappa = torch.tensor(drawn.random((4, classes)))
    expected = np.stack([dense(k, orientation) @ x for k, x in zip(kappa.numpy(), d.numpy(), strict=True)])
    assert torch.allclose(smooth(d, kappa, orientation), torch.tensor(expected), rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda x: smooth(x, kappa, orientation), (d.requires_grad_(),))
    outputs, targets = batch(classes, size=2)
    assert torch.autograd.gradcheck(
        lambda h: residual_smoothing_loss(h, targets, 0.8, 0.0, orientation=orientation), (outputs,)
    )


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_who_keeps_the_mass(classes):
    d = torch.tensor(np.random.default_rng(classes).random((6, classes)))
    kappa = diffusivity(d, 1.0, 2.0)
    assert torch.allclose(smooth(d, kappa, "column").sum(1), d.sum(1), rtol=1e-12)
    change = smooth(d, kappa, "row").sum(1) - d.sum(1)
    covariance = (kappa * d).mean(1) - kappa.mean(1) * d.mean(1)
    assert torch.allclose(change, -(classes**2) / (classes - 1) * covariance, rtol=1e-9)
    assert bool((change < 0).all()), "kappa rises with the residual, so mass is lost"
    uniform = torch.full_like(d, 0.4)
    assert torch.allclose(smooth(d, uniform, "row").sum(1), d.sum(1), rtol=1e-12)
    assert torch.allclose(smooth(d, uniform, "row"), smooth(d, uniform, "column"), rtol=1e-12)


def test_a_constant_residual_is_a_fixed_point_and_gives_no_nan():
    d = torch.full((2, 5), 0.3)
    kappa = diffusivity(d, 1.0, 4.0)
    assert kappa.flatten().tolist() == pytest.approx([0.5] * 10)
    assert torch.allclose(smooth(d, kappa), d)
    outputs = torch.zeros(3, 7, requires_grad=True)
    residual_smoothing_loss(outputs, torch.zeros(3, dtype=torch.int64), 1.0, 1.0).backward()
    assert bool(torch.isfinite(outputs.grad).all())


def test_local_diffusivity_may_pass_the_sign_and_is_not_clamped():
    """One large residual of ten has d~ = 3, and kappa sigmoid(3) = .953 > .9."""
    d = torch.tensor([[1.0] + [0.0] * 9], dtype=torch.float64)
    kappa = diffusivity(d, 1.0, 1.0)
    assert float(kappa[0, 0]) == pytest.approx(0.953, abs=5e-4)
    assert float(smooth(d, kappa)[0, 0]) < 1 / 10


@pytest.mark.parametrize("output", ["softmax"])
@pytest.mark.parametrize("annealing", ANNEALINGS)
def test_scale_zero_is_mean_squared_error(output, annealing):
    outputs, targets = batch(6)
    one_hot = torch.eye(6, dtype=torch.float64)[targets]
    expected = ((torch.softmax(outputs, 1) - one_hot) ** 2).sum(1).mean()
    off = ResidualSmoothingLoss(10, annealing=annealing, scale=0.0, output=output)(outputs, targets, 5)
    assert off.item() == pytest.approx(expected.item(), rel=1e-14)
    assert mean_squared_error(outputs, one_hot).item() == pytest.approx(expected.item(), rel=1e-14)


def golden_batch(dtype):
    outputs = torch.tensor([[2 * math.sin(1.7 * i + 0.9 * j) for j in range(5)] for i in range(3)], dtype=dtype)
    return outputs, torch.tensor([0, 3, 4])


# Computed once by naive_loss: three samples of five classes, step 8 of 20, b 0.5, alpha 1, mu 0.75, scale 1.
GOLDEN = {
    ("laplace", "softmax", "row"): 0.5626946621597362,
    ("laplace", "softmax", "column"): 0.6120569379932604,
    ("laplace", "raw", "row"): 8.490303869652207,
    ("laplace", "raw", "column"): 9.020727702439903,
    ("logistic", "softmax", "row"): 0.3725235058232008,
    ("logistic", "softmax", "column"): 0.5299613927983405,
    ("logistic", "raw", "row"): 7.1299248639533594,
    ("logistic", "raw", "column"): 8.82167845564321,
    ("constant", "softmax", "row"): 0.3342876960810917,
    ("constant", "softmax", "column"): 0.5344615954045764,
    ("constant", "raw", "row"): 6.81130450159899,
    ("constant", "raw", "column"): 8.962279210733278,
}


@pytest.mark.parametrize("case", GOLDEN, ids="-".join)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_golden_numbers(case, dtype, tolerance):
    annealing, output, orientation = case
    loss = ResidualSmoothingLoss(20, annealing=annealing, output=output, orientation=orientation)
    value = loss(*golden_batch(dtype), 8)
    assert value.dtype == dtype
    assert value.item() == pytest.approx(GOLDEN[case], rel=tolerance)


def test_the_golden_cases_differ():
    assert set(GOLDEN) == set(itertools.product(ANNEALINGS, ("softmax", "raw"), ("row", "column")))
    assert len(set(GOLDEN.values())) == len(GOLDEN)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"total_steps": 0}, r"total_steps >= 1 must hold, but got total_steps=0"),
        ({"b": 0.0}, r"b must lie in \[1e-06, inf\), but got 0.0"),
        ({"mu": 1.5}, r"mu must lie in \[0, 1\], but got 1.5"),
        ({"alpha": -1.0}, r"alpha must lie in \[0, inf\), but got -1.0"),
        ({"scale": math.nan}, r"scale must be a finite number, but got nan"),
        ({"annealing": "gauss"}, r"annealing must be one of laplace, logistic, constant, but got 'gauss'"),
        ({"output": "logits"}, r"output must be one of softmax, raw, but got 'logits'"),
        ({"orientation": "col"}, r"orientation must be one of row, column, but got 'col'"),
    ],
)
def test_wrong_settings_are_named(keys, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ResidualSmoothingLoss(**{"total_steps": 10, **keys})


@pytest.mark.parametrize(
    ("outputs", "targets", "message"),
    [
        (torch.zeros(3), torch.zeros(3, dtype=torch.int64), r"outputs must be \[B, M\] .*got \[3\]"),
        (torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64), r"outputs must be \[B, M\] .*got \[3, 1\]"),
        (torch.zeros(3, 4), torch.zeros(2, dtype=torch.int64), r"targets must be whole numbers \[3\].*\[2\]"),
        (torch.zeros(3, 4), torch.zeros(3), r"targets must be whole numbers \[3\], but got torch.float32"),
        (torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.int64), r"targets must be whole numbers \[3\].*\[3, 4\]"),
    ],
)
def test_wrong_shapes_are_named(outputs, targets, message):
    with pytest.raises(ValueError, match=message):
        ResidualSmoothingLoss(10)(outputs, targets, 0)


def test_it_prints_its_settings():
    text = repr(ResidualSmoothingLoss(10, annealing="logistic", b=0.25))
    assert "total_steps=10" in text
    assert "annealing='logistic'" in text
    assert "b=0.25" in text

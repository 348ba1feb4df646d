"""The penalties against Jacobians written out sample by sample, in float64."""

import math

import pytest
import torch
from torch import nn

from tune_reg import GradientPenalty
from tune_reg.regularizers.gradient_penalties import PENALTIES

KINDS = list(PENALTIES)


def network(classes=4, scale=1.0, seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, classes)).double()
    with torch.no_grad():
        model[3].weight.mul_(scale)
    return model


def batch(classes=4, size=5, seed=1):
    torch.manual_seed(seed)
    return torch.randn(size, 1, 2, 3, dtype=torch.float64), torch.randint(classes, (size,))


def naive(kind, model, inputs, targets):
    """Each sample alone: its Jacobian row by row, and the formula of the thesis with H as a matrix."""
    values = []
    for x, y in zip(inputs, targets, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: model(x[None])[0], x, create_graph=True).flatten(1)
        z = torch.softmax(model(x[None])[0], 0)
        hessian = torch.diag(z) - torch.outer(z, z)
        one_hot = torch.eye(len(z), dtype=z.dtype)[y]
        double = (jacobian.T @ (z - one_hot)).square().sum()
        trace = torch.trace(jacobian.T @ hessian @ jacobian)
        values.append(
            {
                "db": double,
                "jac": (hessian @ jacobian).square().sum(),
                "fob": jacobian.square().sum(),
                "hsfob": trace,
                "hsfob-db1": trace + double,
                "hsfob-db2": trace.square() + double,
            }[kind]
        )
    return torch.stack(values)


def gradients(value, model):
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(value, model.parameters(), allow_unused=True) if g is not None]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [2, 4, 10])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_exact_equals_the_naive_form(kind, classes, scale):
    model, (inputs, targets) = network(classes, scale), batch(classes)
    actual = GradientPenalty(kind, strength=1.0).per_sample(model, inputs, targets)
    expected = naive(kind, model, inputs, targets)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(gradients(actual.sum(), model), gradients(expected.sum(), model), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_mean_cross_entropy_and_strength_times_the_mean(kind):
    model, (inputs, targets) = network(), batch()
    loss = GradientPenalty(kind, strength=0.3)(model, inputs, targets)
    expected = nn.functional.cross_entropy(model(inputs), targets) + 0.3 * naive(kind, model, inputs, targets).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_its_neighbours(kind):
    model, (inputs, targets) = network(), batch(size=6)
    penalty = GradientPenalty(kind, strength=1.0)
    whole, half = penalty.per_sample(model, inputs, targets), penalty.per_sample(model, inputs[:3], targets[:3])
    torch.testing.assert_close(whole[:3], half, rtol=1e-12, atol=0)


def mean_of(penalty, times, model, inputs, targets):
    """The mean of so many estimates of each sample, all taken at once: each sample of a batch has probes of its own."""
    many = penalty.per_sample(model, inputs.repeat(times, 1, 1, 1), targets.repeat(times))
    return many.reshape(times, -1).mean(0)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("hsfob", 1.0),
        ("jac", 10.0),
        ("fob", 1.0),
        *((kind, 10.0) for kind in ("fob", "hsfob", "hsfob-db1", "hsfob-db2")),
    ],
)
def test_probes_are_unbiased_in_value_and_in_gradient(kind, scale):
    """Many probes come near the exact form; labels drawn from the model would miss the gradient by far."""
    model, (inputs, targets) = network(scale=scale), batch(size=3)
    torch.manual_seed(5)
    exact = GradientPenalty(kind, strength=1.0).per_sample(model, inputs, targets)
    estimate = mean_of(GradientPenalty(kind, strength=1.0, probes=20), 1000, model, inputs, targets)
    torch.testing.assert_close(estimate, exact, rtol=0.05, atol=1e-4)
    actual, expected = gradients(estimate.sum(), model), gradients(exact.sum(), model)
    assert float(torch.dot(actual, expected) / (actual.norm() * expected.norm())) > 0.998
    assert float(actual.norm() / expected.norm()) == pytest.approx(1, abs=0.06)


def test_the_square_takes_two_independent_probes():
    """The mean of squared one-probe estimates would be too large by their variance."""
    model, (inputs, targets) = network(scale=10.0), batch(size=2)
    torch.manual_seed(7)
    penalty = GradientPenalty("hsfob-db2", strength=1.0, probes=1)
    mean = mean_of(penalty, 4000, model, inputs, targets).detach()
    exact = GradientPenalty("hsfob-db2", strength=1.0).per_sample(model, inputs, targets).detach()
    one = GradientPenalty("hsfob", strength=1.0, probes=1)
    many = one.per_sample(model, inputs.repeat(4000, 1, 1, 1), targets.repeat(4000)).detach()
    squares = many.square().reshape(4000, -1).mean(0)
    double = GradientPenalty("db", strength=1.0).per_sample(model, inputs, targets).detach()
    torch.testing.assert_close(mean, exact, rtol=0.15, atol=1e-3)
    assert bool(((squares + double - exact).abs() > 2 * (mean - exact).abs()).all())


def test_hsfob_is_the_mean_of_db_over_labels_drawn_from_the_model():
    model, (inputs, targets) = network(), batch()
    z = torch.softmax(model(inputs), 1)
    penalty = GradientPenalty("db", strength=1.0)
    by_label = torch.stack([penalty.per_sample(model, inputs, torch.full_like(targets, c)) for c in range(4)], 1)
    expected = GradientPenalty("hsfob", strength=1.0).per_sample(model, inputs, targets)
    torch.testing.assert_close((z * by_label).sum(1), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_gradients_by_finite_differences(kind):
    model, (inputs, targets) = network(), batch(size=3)
    penalty = GradientPenalty(kind, strength=0.5)
    weight = model[1].weight
    analytic = gradients(penalty(model, inputs, targets), model)[: weight.numel()]
    for i in (0, 17, weight.numel() - 1):
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight.view(-1)[i] += step
            values.append(float(penalty(model, inputs, targets).detach()))
            with torch.no_grad():
                weight.view(-1)[i] -= step
        assert float(analytic[i]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_golden_numbers():
    """A linear net by hand: g = W x, so J = W whatever x is."""
    model = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
    inputs, targets = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([0])
    # z = (1/2, 1/2); J rows (1, 2), (3, -1); H = [[1, -1], [-1, 1]] / 4
    expected = {"db": 13 / 4, "jac": 13 / 8, "fob": 15.0, "hsfob": 13 / 4, "hsfob-db1": 6.5, "hsfob-db2": 13.8125}
    for kind, value in expected.items():
        got = GradientPenalty(kind, strength=1.0).per_sample(model, inputs, targets).detach()
        assert float(got) == pytest.approx(value, rel=1e-14), kind
        single = GradientPenalty(kind, strength=1.0).per_sample(model.float(), inputs.float(), targets).detach()
        assert float(single) == pytest.approx(value, rel=1e-6), kind
        model.double()


def test_confident_predictions_stay_finite():
    model, (inputs, targets) = network(scale=1e6), batch()
    for kind in KINDS:
        for probes in (None, 2):
            loss = GradientPenalty(kind, strength=1.0, probes=probes)(model, inputs, targets)
            assert math.isfinite(float(loss.detach()))
            assert bool(gradients(loss, model).isfinite().all())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "dbb"}, "kind must be one of db, jac"),
        ({"strength": -1.0}, "strength >= 0 must hold, but got strength=-1.0"),
        ({"probes": 0}, r"probes must be None \(exact\) or a whole number >= 1, but got 0"),
        ({"probes": 1.5}, "but got 1.5"),
    ],
)
def test_bad_settings_are_named(keys, said):
    with pytest.raises(ValueError, match=said):
        GradientPenalty(**{"kind": "db", "strength": 1.0, **keys})

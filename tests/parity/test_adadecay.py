"""AdaDecay against the paper's equations, written here element by element and without the package."""

import copy
import math

import numpy as np
import pytest
import torch

from tune_reg import AdaDecay
from tune_reg.regularizers.adadecay import decay_factor

SHAPES = [(3, 4), (5,), (1,), (), (2, 3, 2, 2)]


def naive_theta(gradient, alpha):
    """Equations 10 and 12 for a flat list."""
    sizes = [abs(g) for g in gradient]
    n = len(sizes)
    mean = sum(sizes) / n
    variance = sum((a - mean) ** 2 for a in sizes) / n
    if n == 1 or max(sizes) == min(sizes):
        return [1.0] * n
    return [2 / (1 + math.exp(-alpha * (a - mean) / math.sqrt(variance))) for a in sizes]


def naive_step(weights, gradient, buffer, *, lr, momentum, decay, alpha, mode):
    """Equation 9 for a flat list of weights; the new weights and the new momentum buffer."""
    theta = naive_theta(gradient, alpha)
    if mode == "coupled":
        gradient = [g + decay * t * w for g, t, w in zip(gradient, theta, weights, strict=True)]
    else:
        weights = [(1 - lr * decay * t) * w for t, w in zip(theta, weights, strict=True)]
    buffer = gradient if buffer is None else [momentum * b + g for b, g in zip(buffer, gradient, strict=True)]
    return [w - lr * b for w, b in zip(weights, buffer, strict=True)], buffer


def gradients(step, shapes):
    """Skewed, of very different size from tensor to tensor; now and then all zero or all equal in size."""
    drawn = np.random.default_rng(step)
    made = [np.asarray(drawn.standard_normal(shape) ** 3 * 10.0 ** (i - 2)) for i, shape in enumerate(shapes)]
    if step % 10 == 3:
        made[0] = np.zeros(shapes[0])
    if step % 10 == 5:
        made[1] = np.where(np.arange(math.prod(shapes[1])).reshape(shapes[1]) % 2 == 0, 0.1, -0.1)
    return made


@pytest.mark.parametrize("mode", ["coupled", "decoupled"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("alpha", [4.0, -1.0, 0.0])
def test_a_hundred_steps_equal_the_naive_ones(mode, momentum, alpha):
    drawn = np.random.default_rng(99)
    start = [np.asarray(drawn.standard_normal(shape)) for shape in SHAPES]
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    # Two groups: the second with another step size and decay.
    optimizer = AdaDecay(
        [{"params": parameters[:3]}, {"params": parameters[3:], "lr": 0.01, "weight_decay": 0.2}],
        lr=0.05,
        momentum=momentum,
        weight_decay=0.03,
        alpha=alpha,
        mode=mode,
    )
    weights, buffers = [w.flatten().tolist() for w in start], [None] * len(SHAPES)
    for step in range(100):
        made = gradients(step, SHAPES)
        for parameter, gradient in zip(parameters, made, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
        for i, gradient in enumerate(made):
            lr, decay = (0.05, 0.03) if i < 3 else (0.01, 0.2)
            weights[i], buffers[i] = naive_step(
                weights[i],
                gradient.flatten().tolist(),
                buffers[i],
                lr=lr,
                momentum=momentum,
                decay=decay,
                alpha=alpha,
                mode=mode,
            )
    for parameter, expected in zip(parameters, weights, strict=True):
        assert parameter.detach().flatten().tolist() == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 5e-4, 0.1])
def test_without_slope_it_is_torch_sgd(momentum, decay):
    def trained(make):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(48, 4)
        ).double()
        optimizer = make(net.parameters())
        inputs, targets = torch.randn(32, 1, 6, 6, dtype=torch.float64), torch.randint(4, (32,))
        for step in range(100):
            optimizer.zero_grad()
            batch = slice(step % 4 * 8, step % 4 * 8 + 8)
            torch.nn.functional.cross_entropy(net(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    actual = trained(lambda p: AdaDecay(p, 0.1, momentum=momentum, weight_decay=decay, alpha=0.0))
    expected = trained(lambda p: torch.optim.SGD(p, 0.1, momentum=momentum, weight_decay=decay))
    assert torch.allclose(actual, expected, rtol=1e-11, atol=1e-13)
    if decay:
        sloped = trained(lambda p: AdaDecay(p, 0.1, momentum=momentum, weight_decay=decay, alpha=4.0))
        assert not torch.allclose(sloped, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("alpha", [-1.0, 1.0, 4.0, 8.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
def test_theta_does_not_see_the_scale_of_the_gradient(alpha, dtype, tolerance):
    drawn = np.random.default_rng(1).standard_normal(200)
    expected = naive_theta(drawn.tolist(), alpha)
    for scale in (1e20, 1.0, 1e-10, 1e-20, 1e-36):
        theta = decay_factor(torch.tensor(drawn * scale).to(dtype).reshape(8, 25), alpha)
        assert theta.dtype == dtype
        assert theta.shape == (8, 25)
        assert theta.flatten().tolist() == pytest.approx(expected, abs=tolerance if scale > 1e-30 else 1e-4)


@pytest.mark.parametrize("scale", [1e-38, 1e-39, 1e-43])
def test_the_smallest_gradients_give_no_nan(scale):
    gradient = torch.tensor([1.0, 2.0, 3.0]).double().mul(scale).float()
    theta = decay_factor(gradient, 4.0)
    assert bool(torch.isfinite(theta).all())
    if scale > 1e-40:
        assert theta.tolist() == pytest.approx(naive_theta([1, 2, 3], 4.0), rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 1000, 65_537])
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e-20, 3e7])
def test_gradients_of_one_size_decay_by_lambda(dtype, n, value):
    """Rounding of the mean must not become a spread: theta is exactly 1."""
    signs = torch.ones(n, dtype=dtype)
    signs[::2] = -1
    assert bool((decay_factor(signs * value, 8.0) == 1).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sizes_that_differ_by_rounding_alone_are_equal(dtype):
    size = torch.full((100,), 0.1, dtype=dtype)
    size[::2] = torch.nextafter(size[0], torch.tensor(1.0, dtype=dtype))
    assert len(size.unique()) == 2
    assert bool((decay_factor(size, 8.0) == 1).all())
    size[::2] = 0.1 * (1 + 100 * torch.finfo(dtype).eps)
    assert not bool((decay_factor(size, 8.0) == 1).any()), "a spread that the dtype resolves counts"


# Mean theta of several distributions of |g|.
ALPHAS = (-1.0, 1.0, 2.0, 4.0, 8.0)
MEAN_THETA = {
    "half-normal": (1.022, 0.978, 0.932, 0.881, 0.859),
    "exponential": (1.034, 0.966, 0.896, 0.805, 0.754),
    "student-t3": (1.033, 0.967, 0.904, 0.806, 0.736),
    "mostly zero": (1.053, 0.947, 0.847, 0.652, 0.385),
}
#: |t3| has no fourth moment, so that the deviation of a sample settles slowly.
TOLERANCE = {"student-t3": 0.008}


def drawn_gradient(name, n=1_000_000):
    drawn = np.random.default_rng(0)
    if name == "half-normal":
        return drawn.standard_normal(n)
    if name == "exponential":
        return drawn.exponential(size=n)
    if name == "student-t3":
        return drawn.standard_t(3, n)
    return np.where(drawn.random(n) < 0.9, 0.0, drawn.standard_normal(n))


@pytest.mark.parametrize("name", MEAN_THETA)
def test_mean_theta(name):
    gradient = torch.tensor(drawn_gradient(name))
    means = [float(decay_factor(gradient, alpha).mean()) for alpha in ALPHAS]
    assert means == pytest.approx(MEAN_THETA[name], abs=TOLERANCE.get(name, 0.002))


def test_mean_theta_is_one_where_the_sizes_are_symmetric():
    gradient = torch.tensor(np.random.default_rng(0).random(1_000_000))
    assert float(decay_factor(gradient, 4.0).mean()) == pytest.approx(1, abs=0.002)


# Computed once by naive_step: five steps of w = [1, -2, 3, 0.5] with g_t = sin((t + 1) (j + 1)), lr 0.1,
# momentum 0.9, weight decay 0.2, alpha 4.
GOLDEN = {
    "coupled": [0.24341244212204802, -1.5275839472815154, 2.6368717593319646, 0.36811850011562725],
    "decoupled": [0.44045168504229243, -1.9562409152766262, 2.8326884641600913, 0.498983988499425],
}


def golden_gradient(step):
    return [math.sin((step + 1) * (j + 1)) for j in range(4)]


@pytest.mark.parametrize("mode", GOLDEN)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_golden_numbers(mode, dtype, tolerance):
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=dtype))
    optimizer = AdaDecay([parameter], 0.1, momentum=0.9, weight_decay=0.2, alpha=4.0, mode=mode)
    for step in range(5):
        parameter.grad = torch.tensor(golden_gradient(step), dtype=dtype)
        optimizer.step()
    assert parameter.tolist() == pytest.approx(GOLDEN[mode], abs=tolerance)


def test_a_closure_is_evaluated_with_gradients():
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = AdaDecay([parameter], 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 5.0
    assert parameter.tolist() == [0.0, 0.0]


def test_parameters_without_gradient_stay_and_the_state_can_be_saved():
    used, unused = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    optimizer = AdaDecay([used, unused], 0.1, momentum=0.9, weight_decay=0.1)
    used.grad = torch.tensor([1.0, 2.0, 3.0])
    optimizer.step()
    assert unused.tolist() == [1.0] * 3
    twin = torch.nn.Parameter(used.detach().clone())
    resumed = AdaDecay([twin, torch.nn.Parameter(torch.ones(3))], 0.1, momentum=0.9, weight_decay=0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for parameter, its in ((used, optimizer), (twin, resumed)):
        parameter.grad = torch.tensor([-1.0, 0.5, 3.0])
        its.step()
    assert used.equal(twin)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lr": -0.1}, "lr >= 0 must hold, but got lr=-0.1"),
        ({"lr": 0.1, "momentum": -1.0}, "momentum >= 0 must hold, but got momentum=-1.0"),
        ({"lr": 0.1, "weight_decay": math.nan}, "weight_decay >= 0 must hold, but got weight_decay=nan"),
        ({"lr": 0.1, "mode": "both"}, "mode must be 'coupled' or 'decoupled', but got 'both'"),
    ],
)
def test_wrong_settings_are_named(keys, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        AdaDecay([torch.nn.Parameter(torch.ones(1))], **keys)


def test_sparse_gradients_are_refused():
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="dense gradients"):
        AdaDecay(table.parameters(), 0.1).step()

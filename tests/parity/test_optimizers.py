"""The optimizers against their formulas, written here number by number in float64 and without the package."""

import itertools
import math

import numpy as np
import pytest
import torch

from tune_reg.optimizers import OPTIMIZERS, AcceleratedSGD, EntropySGD, build

SHAPES = [(3, 4), (5,), (1,), (), (2, 3, 2, 2)]


def start():
    drawn = np.random.default_rng(99)
    return [np.asarray(drawn.standard_normal(shape)) for shape in SHAPES]


def gradients(step):
    """Of very different size from tensor to tensor."""
    drawn = np.random.default_rng(step)
    return [np.asarray(drawn.standard_normal(shape) ** 3 * 10.0 ** (i - 2)) for i, shape in enumerate(SHAPES)]


def flat(arrays):
    return np.concatenate([np.asarray(a).ravel() for a in arrays]).tolist()


def of(parameters):
    return flat([p.detach().numpy() for p in parameters])


class NaiveAccelerated:
    def __init__(self, w, lr, kappa, xi, c, decay):
        self.w, self.average = w, w
        self.lr, self.kappa, self.xi, self.c, self.decay = lr, kappa, xi, c, decay

    def step(self, g):
        g = g + self.decay * self.w
        a = 1 - self.c * self.c * self.xi / self.kappa
        b = 1 - a
        self.average = a * self.average + b * (self.w - self.lr * self.kappa / self.c * g)
        self.w = self.c / (self.c + b) * (self.w - self.lr * g) + b / (self.c + b) * self.average


@pytest.mark.parametrize(
    ("kappa", "xi", "c", "decay"), [(1000.0, 10.0, 0.7, 0.0), (1000.0, 10.0, 0.7, 0.05), (4.0, 2.0, 1.0, 0.01)]
)
def test_eighty_accelerated_steps(kappa, xi, c, decay):
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start()]
    options = {"kappa": kappa, "xi": xi, "small_const": c, "weight_decay": decay}
    # Two groups: the second with other settings.
    optimizer = AcceleratedSGD([{"params": parameters[:3]}, {"params": parameters[3:], "lr": 1e-4}], 1e-3, **options)
    naive = [
        [NaiveAccelerated(float(x), 1e-3 if i < 3 else 1e-4, kappa, xi, c, decay) for x in w.ravel()]
        for i, w in enumerate(start())
    ]
    for step in range(80):
        if step == 40:  # as a schedule does
            for group in optimizer.param_groups:
                group["lr"] *= 0.1
            for cell in itertools.chain(*naive):
                cell.lr *= 0.1
        made = gradients(step)
        for parameter, cells, g in zip(parameters, naive, made, strict=True):
            parameter.grad = torch.tensor(g)
            for cell, x in zip(cells, g.ravel().tolist(), strict=True):
                cell.step(x)
        optimizer.step()
    expected = [cell.w for cells in naive for cell in cells]
    assert of(parameters) == pytest.approx(expected, rel=1e-11, abs=1e-13)
    averages = flat([optimizer.state[p]["average"].numpy() for p in parameters])
    assert averages == pytest.approx([cell.average for cells in naive for cell in cells], rel=1e-11, abs=1e-13)


def test_without_statistical_advantage_it_is_sgd():
    accelerated, plain = ([torch.nn.Parameter(torch.tensor(w)) for w in start()] for _ in range(2))
    optimizers = (
        AcceleratedSGD(accelerated, 0.01, xi=0.0, weight_decay=0.1),
        torch.optim.SGD(plain, 0.01, weight_decay=0.1),
    )
    for step in range(50):
        for parameters, optimizer in zip((accelerated, plain), optimizers, strict=True):
            for parameter, g in zip(parameters, gradients(step), strict=True):
                parameter.grad = torch.tensor(g)
            optimizer.step()
    assert of(accelerated) == pytest.approx(of(plain), rel=1e-12)


def quadratic(weights, evaluation):
    """Gradient of a loss whose minimum moves from evaluation to evaluation, as from batch to batch."""
    scales = (1.0, 0.3, 2.0, 0.5, 1.5)
    return [scale * (w - m) for scale, w, m in zip(scales, weights, gradients(evaluation), strict=True)]


@pytest.mark.parametrize("loops", [1, 5])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_sixty_entropy_steps(loops, decay):
    lr, inner_lr, a, noise, gamma0, growth = 2.0, 0.2, 0.6, 0.03, 0.05, 0.02
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start()]
    optimizer = EntropySGD(
        [{"params": parameters[:3]}, {"params": parameters[3:], "lr": 1.0}],
        lr,
        langevin_steps=loops,
        langevin_lr=inner_lr,
        averaging=a,
        noise=noise,
        gamma=gamma0,
        gamma_growth=growth,
        weight_decay=decay,
        generator=torch.Generator().manual_seed(7),
    )
    evaluations = 0

    def closure():
        nonlocal evaluations
        made = quadratic([p.detach().numpy() for p in parameters], evaluations)
        for parameter, g in zip(parameters, made, strict=True):
            parameter.grad = torch.tensor(g)
        evaluations += 1
        return float(evaluations)

    noises = torch.Generator().manual_seed(7)
    x, naive_evaluations = start(), 0
    for t in range(60):
        gamma = gamma0 * (1 + growth) ** t
        inner, mu = list(x), list(x)
        for _ in range(loops):
            made = quadratic(inner, naive_evaluations)
            naive_evaluations += 1
            for i, shape in enumerate(SHAPES):
                normal = torch.randn(shape, generator=noises, dtype=torch.float64).numpy()
                g = made[i] + decay * inner[i]
                inner[i] = inner[i] - inner_lr * (g - gamma * (x[i] - inner[i])) + math.sqrt(inner_lr) * noise * normal
                mu[i] = (1 - a) * mu[i] + a * inner[i]
        x = [w - (lr if i < 3 else 1.0) * gamma * (w - m) for i, (w, m) in enumerate(zip(x, mu, strict=True))]
        before = evaluations
        assert optimizer.step(closure) == before + 1  # the loss of the first evaluation, at x
        assert evaluations == naive_evaluations == (t + 1) * loops
    assert of(parameters) == pytest.approx(flat(x), rel=1e-10, abs=1e-12)


class NaiveTorch:
    """sgd, rmsprop, adam and adagrad for one number, weight decay coupled."""

    def __init__(self, name, w, lr, momentum, decay):
        self.name, self.w, self.lr, self.momentum, self.decay = name, w, lr, momentum, decay
        self.m = self.v = 0.0
        self.t = 0

    def step(self, g):
        self.t += 1
        g = g + self.decay * self.w
        if self.name == "sgd":
            self.m = g if self.t == 1 else self.momentum * self.m + g
            self.w -= self.lr * self.m
        elif self.name == "rmsprop":
            self.v = 0.95 * self.v + 0.05 * g * g
            self.w -= self.lr * g / (math.sqrt(self.v) + 1e-8)
        elif self.name == "adagrad":
            self.v += g * g
            self.w -= self.lr * g / (math.sqrt(self.v) + 1e-10)
        else:
            self.m = 0.9 * self.m + 0.1 * g
            self.v = 0.999 * self.v + 0.001 * g * g
            m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
            self.w -= self.lr * m / (math.sqrt(v) + 1e-8)


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adagrad"])
def test_sixty_steps_of_the_optimizers_of_torch(name, decay):
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start()]
    optimizer = build(name, parameters, lr=0.01, momentum=0.9, weight_decay=decay)
    naive = [[NaiveTorch(name, float(x), 0.01, 0.9, decay) for x in w.ravel()] for w in start()]
    for step in range(60):
        for parameter, cells, g in zip(parameters, naive, gradients(step), strict=True):
            parameter.grad = torch.tensor(g)
            for cell, x in zip(cells, g.ravel().tolist(), strict=True):
                cell.step(x)
        optimizer.step()
    expected = [cell.w for cells in naive for cell in cells]
    assert of(parameters) == pytest.approx(expected, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_that_of_a_penalty_in_the_loss(name):
    def trained(decay, penalty):
        drawn = torch.Generator().manual_seed(3)
        inputs = torch.randn(40, 6, dtype=torch.float64, generator=drawn)
        targets = torch.randint(3, (40,), generator=drawn)
        net = torch.nn.Linear(6, 3).double()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64, generator=drawn))
        optimizer = build(name, net.parameters(), lr=0.01, momentum=0.9, weight_decay=decay, generator=drawn)

        def closure():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(inputs), targets)
            loss = loss + penalty / 2 * sum(p.square().sum() for p in net.parameters())
            loss.backward()
            return loss.item()

        for _ in range(50):
            optimizer.step(closure)
        return of(net.parameters())

    assert trained(0.1, 0.0) == pytest.approx(trained(0.0, 0.1), rel=1e-9, abs=1e-11)
    assert trained(0.1, 0.0) != pytest.approx(trained(0.0, 0.0), rel=1e-6)

"""The methods of one line, and AdaDecay's controls, against numpy, scipy and torch's own in float64."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.nn import functional

from tune_reg.regularizers import Progress, regularizer


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def at(learning_rate=0.1):
    return Progress(*(torch.tensor(x, dtype=torch.float64) for x in (0.2, 0.25, learning_rate, 1.0)))


def strengths(**values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


@pytest.mark.parametrize("strength", [0.0, 1e-5, 0.7])
def test_l1_adds_the_subgradient(strength):
    gradient, weight = numbers(0, 5, 3), numbers(1, 5, 3)
    weight[2] = 0.0
    made = regularizer("l1")().gradient(
        torch.tensor(gradient), torch.tensor(weight), strengths(strength=strength), at(), None
    )
    naive = [
        [g + strength * (0.0 if w == 0 else math.copysign(1.0, w)) for g, w in zip(*rows, strict=True)]
        for rows in zip(gradient, weight, strict=True)
    ]
    np.testing.assert_allclose(made.numpy(), naive, rtol=1e-14)


def test_decoupled_decay_with_adam_is_adamw():
    drawn = torch.Generator().manual_seed(0)
    start = torch.randn(7, 3, dtype=torch.float64, generator=drawn)
    actual, reference = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    adam, adamw = torch.optim.Adam([actual], lr=0.01), torch.optim.AdamW([reference], lr=0.01, weight_decay=0.3)
    decay = regularizer("decoupled-weight-decay")()
    for _ in range(50):
        gradient = torch.randn(7, 3, dtype=torch.float64, generator=drawn)
        with torch.no_grad():
            actual.copy_(decay.update(actual, gradient, strengths(weight_decay=0.3), at(0.01)))
        actual.grad, reference.grad = gradient.clone(), gradient.clone()
        adam.step()
        adamw.step()
    torch.testing.assert_close(actual, reference, rtol=1e-13, atol=1e-15)
    assert not torch.allclose(actual, start, atol=0.1)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.37, 1.0])
@pytest.mark.parametrize("classes", [2, 11])
def test_smoothed_labels_give_torchs_smoothed_cross_entropy(epsilon, classes):
    outputs, targets = torch.tensor(numbers(2, 6, classes)), torch.arange(6) % classes
    soft = regularizer("label-smoothing")().targets(
        functional.one_hot(targets, classes).double(), strengths(epsilon=epsilon), at()
    )
    np.testing.assert_allclose(soft.sum(1), 1.0, rtol=1e-14)
    actual = functional.cross_entropy(outputs, soft)
    torch.testing.assert_close(actual, functional.cross_entropy(outputs, targets, label_smoothing=epsilon))


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_the_confidence_penalty_is_minus_the_mean_entropy(scale):
    outputs = scale * numbers(3, 9, 5)
    penalty = regularizer("confidence-penalty")().penalty(
        torch.zeros(9, 1), torch.tensor(outputs), torch.zeros(9), strengths(strength=0.4), at(), None
    )
    entropy = scipy.stats.entropy(scipy.special.softmax(outputs, axis=1), axis=1)
    assert float(penalty) == pytest.approx(-0.4 * entropy.mean(), rel=1e-12, abs=1e-14)


def test_noise_is_added_as_it_comes():
    images, noise = numbers(4, 2, 1, 3, 3), numbers(5, 2, 1, 3, 3)
    made = regularizer("noise-injection")()
    assert made.noise_shape("inputs", torch.Size((2, 1, 3, 3))) == (2, 1, 3, 3)
    got = made.inputs(torch.tensor(images), strengths(strength=3.0), at(), torch.tensor(noise))
    np.testing.assert_allclose(got.numpy(), images + 3.0 * noise, rtol=1e-14)


def naive_theta(gradient, alpha):
    size = np.abs(gradient)
    return 2 * scipy.special.expit(alpha * (size - size.mean()) / size.std())


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 4.0])
def test_the_controls_of_adadecay(alpha):
    gradient, weight, noise = numbers(6, 8, 5), numbers(7, 8, 5), numbers(8, 8, 5)
    values = strengths(weight_decay=0.03, alpha=alpha)

    def made(name):
        arguments = (torch.tensor(gradient), torch.tensor(weight), values, at(), torch.tensor(noise))
        return regularizer(name)().gradient(*arguments).numpy()

    theta = naive_theta(gradient, alpha)
    np.testing.assert_allclose(made("adadecay-matched"), gradient + 0.03 * theta.mean() * weight, rtol=1e-12)
    randomized = 2 / (1 + np.exp(-alpha * noise))
    np.testing.assert_allclose(made("adadecay-randomized"), gradient + 0.03 * randomized * weight, rtol=1e-12)
    # The same factors on other weights: what was added, divided by lambda w, is theta in another order.
    factors = (made("adadecay-shuffled") - gradient) / (0.03 * weight)
    np.testing.assert_allclose(np.sort(factors, axis=None), np.sort(theta, axis=None), rtol=1e-9)
    if alpha:
        assert not np.allclose(factors, theta)

"""SAM, the recent weight decays, MaxSup, mixup and CutMix against public implementations and formulas in float64."""

import copy
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional
from torchvision.transforms import v2

from tune_reg.regularizers import Progress, regularizer
from tune_reg.regularizers.cutmix import box
from tune_reg.regularizers.mixing import beta, numbers_to_draw
from tune_reg.training import Run, SerialEngine, TrainingSettings

# Public implementations, which ran once: their numbers are kept, with the versions


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PUBLIC = _module(Path(__file__).with_name("public_implementations.py"))
EXPECTED = json.loads(Path(PUBLIC.__file__).with_suffix(".json").read_text())["weights"]


def at(step=0.0, learning_rate=0.1, factor=1.0):
    return Progress(*(torch.tensor(x, dtype=torch.float64) for x in (step, step, learning_rate, factor)))


def strengths(**values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def trained(name, values, optimizer_of, lr, *, scheduled=False):
    """The weights after the steps of ``public_implementations`` with a regularizer's hooks, in the engine's order."""
    reg, weights = regularizer(name)(), [torch.nn.Parameter(w) for w in PUBLIC.start()]
    optimizer = optimizer_of(weights)
    memory = torch.zeros(reg.memory_size(len(weights)), dtype=torch.float64)
    for step in range(PUBLIC.STEPS):
        factor = PUBLIC.schedule(step) if scheduled else 1.0
        optimizer.param_groups[0]["lr"] = lr * factor
        progress = at(step / PUBLIC.STEPS, lr * factor, factor)
        gradients = torch.autograd.grad(PUBLIC.loss(weights, step), weights)
        if reg.fills("ascend"):
            points = reg.ascend([w.detach() for w in weights], gradients, values, progress)
            points = [point.requires_grad_() for point in points]
            gradients = torch.autograd.grad(PUBLIC.loss(points, step), points)
        for w, g in zip(weights, gradients, strict=True):
            w.grad = g
            if reg.fills("update"):
                w.data = reg.update(w.data, g, values, progress)
        before = [w.detach().clone() for w in weights]
        optimizer.step()
        if reg.fills("settle"):
            after, memory = reg.settle(before, [w.detach() for w in weights], memory, values, progress)
            for w, new in zip(weights, after, strict=True):
                w.data = new
    return weights


def check(weights, expected, rel=1e-11):
    start = PUBLIC.start()
    for w, wanted, first in zip(weights, expected, start, strict=True):
        values = torch.tensor(wanted, dtype=torch.float64)
        torch.testing.assert_close(w.detach(), values, rtol=rel, atol=rel)
        assert (values - first).abs().max() > 0.05


def test_sam_is_that_of_pytorch_optimizer():
    s = PUBLIC.SETTINGS["sam"]

    def sgd(weights):
        return torch.optim.SGD(weights, lr=s["lr"], momentum=s["momentum"])

    # It takes the norm of the gradient in float32.
    check(trained("sam", strengths(rho=s["rho"]), sgd, s["lr"]), EXPECTED["sam"], rel=1e-6)
    with pytest.raises(AssertionError):
        check(trained("sam", strengths(rho=0.99 * s["rho"]), sgd, s["lr"]), EXPECTED["sam"], rel=1e-6)


def test_corrected_decay_is_adamc_of_pytorch_optimizer_and_sgdc_of_timm():
    for key in ("adamc", "sgdc"):
        s = PUBLIC.SETTINGS[key]

        def optimizer(weights, s=s, key=key):
            if key == "adamc":
                return torch.optim.Adam(weights, lr=s["lr"], eps=PUBLIC.EPS)
            return torch.optim.SGD(weights, lr=s["lr"], momentum=s["momentum"])

        values = strengths(weight_decay=s["weight_decay"])
        check(trained("corrected-weight-decay", values, optimizer, s["lr"], scheduled=True), EXPECTED[key])
        with pytest.raises(AssertionError):
            check(trained("decoupled-weight-decay", values, optimizer, s["lr"], scheduled=True), EXPECTED[key])


def test_constrained_parameters_are_those_of_pytorch_cpr():
    s = PUBLIC.SETTINGS["cpr"]
    # Its bounds are set at the end of step 2 of 12, counted from 1. Its multipliers are float32.
    values = strengths(warm_up=(s["warm_start"] - 1) / PUBLIC.STEPS, rate=s["rate"])

    def adam(weights):
        return torch.optim.Adam(weights, lr=s["lr"])

    check(trained("constrained-parameters", values, adam, s["lr"]), EXPECTED["cpr"], rel=1e-6)
    later = strengths(warm_up=s["warm_start"] / PUBLIC.STEPS, rate=s["rate"])
    with pytest.raises(AssertionError):
        check(trained("constrained-parameters", later, adam, s["lr"]), EXPECTED["cpr"], rel=1e-6)


# Formulas, number by number


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_cautious_decay_element_by_element(optimizer):
    lr, decay = 0.05, 0.8

    def made(weights):
        return torch.optim.SGD(weights, lr=lr, momentum=0.9) if optimizer == "sgd" else torch.optim.Adam(weights, lr=lr)

    weights = trained("cautious-weight-decay", strengths(weight_decay=decay), made, lr)
    plain, always = PUBLIC.start(), 0
    flat = [w.flatten().tolist() for w in plain]
    states = [[[0.0, 0.0] for _ in tensor] for tensor in flat]
    for step in range(PUBLIC.STEPS):
        for i, (tensor, of_tensor) in enumerate(zip(flat, states, strict=True)):
            minimum = PUBLIC.minimum(step, i).flatten().tolist()
            for j, (w, least, state) in enumerate(zip(list(tensor), minimum, of_tensor, strict=True)):
                g = (i + 1) * (w - least)
                if optimizer == "sgd":
                    state[0] = 0.9 * state[0] + g
                    u = state[0]
                else:
                    state[0], state[1] = 0.9 * state[0] + 0.1 * g, 0.999 * state[1] + 0.001 * g * g
                    u = state[0] / (1 - 0.9 ** (step + 1))
                    u /= math.sqrt(state[1] / (1 - 0.999 ** (step + 1))) + 1e-8
                acts = u * w >= 0
                always += acts
                tensor[j] = w - lr * (u + decay * w * acts)
    for w, expected in zip(weights, flat, strict=True):
        np.testing.assert_allclose(w.detach().flatten().numpy(), expected, rtol=1e-11, atol=1e-13)
    assert 0 < always < PUBLIC.STEPS * sum(map(len, flat))


def test_adaptive_decay_follows_algorithm_1():
    reg, memory, mean = regularizer("adaptive-weight-decay")(), torch.zeros(1, dtype=torch.float64), 0.0
    drawn = np.random.default_rng(0)
    for _ in range(5):
        weights, gradients = ([drawn.standard_normal(shape) for shape in PUBLIC.SHAPES] for _ in range(2))
        norm_w, norm_g = (math.sqrt(sum(float((x**2).sum()) for x in tensors)) for tensors in (weights, gradients))
        mean = 0.1 * mean + 0.9 * 0.3 * norm_g / norm_w
        made, memory = reg.gradients(
            list(map(torch.tensor, gradients)), list(map(torch.tensor, weights)), memory, strengths(strength=0.3), at()
        )
        for g, w, new in zip(gradients, weights, made, strict=True):
            np.testing.assert_allclose(new.numpy(), g + mean * w, rtol=1e-12, atol=1e-13)
        assert float(memory) == pytest.approx(mean, rel=1e-13)


def test_max_sup_is_label_smoothing_where_the_largest_logit_is_the_right_one():
    drawn = np.random.default_rng(1)
    outputs, alpha = torch.tensor(drawn.standard_normal((7, 5)) * 3), 0.3
    penalty = regularizer("max-sup")().penalty(
        torch.zeros(7, 1), outputs, torch.zeros(7), strengths(strength=alpha), at(), None
    )
    naive = [max(row) - sum(row) / len(row) for row in outputs.tolist()]
    assert float(penalty) == pytest.approx(alpha * sum(naive) / 7, rel=1e-13)
    # Cross-entropy with smoothed targets is that without, and epsilon (h_y - mean h).
    right = outputs.argmax(1)
    smoothed = functional.cross_entropy(outputs, right, label_smoothing=alpha)
    assert float(smoothed - functional.cross_entropy(outputs, right)) == pytest.approx(float(penalty), rel=1e-12)


# Mixing


def mix(name, images, targets, noise, **values):
    return regularizer(name)().mix(images, targets, strengths(**values), at(), noise)


def a_batch(batch=6, height=7, width=5):
    drawn = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 2, height, width, dtype=torch.float64, generator=drawn)
    return images, functional.one_hot(torch.arange(batch) % 4, 4).double()


def noise_of(name, seed, batch=6):
    size = regularizer(name)().noise_shape("mix", torch.Size([batch, 2, 7, 5]))
    noise = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    noise[-numbers_to_draw(batch) :][:batch] = torch.tensor([*range(1, batch), 0.0])  # the partner is the one before
    return noise


class Fixed:
    """A distribution that has one value, in place of that of a transform of torchvision."""

    def __init__(self, value):
        self.value = value

    def sample(self, _):
        return torch.tensor([self.value], dtype=torch.float64)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_mixup_is_that_of_torchvision(alpha, seed):
    images, targets = a_batch()
    noise = noise_of("mixup", seed)
    mixed, soft = mix("mixup", images, targets, noise, alpha=alpha)
    share = float(beta(torch.tensor(alpha, dtype=torch.float64), noise[6 : 6 + 33], noise[6 + 33 :]))
    assert 0 <= share <= 1
    transform = v2.MixUp(num_classes=4)
    transform._dist = Fixed(share)
    # torchvision pairs each image with the one before, as this noise does.
    expected, expected_soft = transform(images, targets)
    torch.testing.assert_close(mixed, expected, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(soft, expected_soft, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_is_that_of_torchvision(seed, monkeypatch):
    images, targets = a_batch()
    noise = noise_of("cutmix", seed)
    mixed, soft = mix("cutmix", images, targets, noise, alpha=1.0, probability=1.0)
    share = float(beta(torch.tensor(1.0, dtype=torch.float64), noise[9 : 9 + 33], noise[9 + 33 :]))
    _, down, across = scipy.stats.norm.cdf(noise[:3].numpy())
    transform = v2.CutMix(num_classes=4)
    transform._dist = Fixed(share)
    centre = iter([int(across * 5), int(down * 7)])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.tensor([next(centre)]))
    expected, expected_soft = transform(images, targets)
    torch.testing.assert_close(mixed, expected, rtol=0, atol=0)
    torch.testing.assert_close(soft, expected_soft, rtol=1e-14, atol=1e-15)


def test_cutmix_leaves_the_other_batches_as_they_are():
    images, targets = a_batch()
    same = 0
    for seed in range(200):
        noise = torch.randn(3 + numbers_to_draw(6), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        mixed, soft = mix("cutmix", images, targets, noise, alpha=1.0, probability=0.3)
        same += bool(mixed.equal(images) and soft.equal(targets))
    assert 0.6 < same / 200 < 0.85  # of those mixed, some have an empty box


def test_boxes_have_the_share_but_for_their_clipping():
    for share in (0.0, 0.3, 0.75, 1.0):
        area = box(torch.tensor(share), torch.tensor(50), torch.tensor(50), 100, 100).double().mean()
        assert float(area) == pytest.approx(1 - share, abs=0.03)


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0, 2.5, 20.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shares_have_the_beta_distribution(alpha, dtype):
    normal = torch.randn(4000, 66, dtype=dtype, generator=torch.Generator().manual_seed(3))
    shares = torch.func.vmap(lambda row: beta(torch.tensor(alpha, dtype=dtype), row[:33], row[33:]))(normal)
    below = [
        (at, float((shares <= at).double().mean()))
        for at in (1e-4, 0.05, 0.3, 0.4, 0.45, 0.5, 0.55, 0.65, 0.8, 0.99, 0.999)
    ]

    def furthest(distribution):
        # In standard errors; a test of Kolmogorov and Smirnov would take values rounded to 1 for wrong.
        cdf = [(distribution.cdf(at), share) for at, share in below]
        return max(abs(share - p) / math.sqrt(p * (1 - p) / 4000 + 1e-9) for p, share in cdf)

    assert furthest(scipy.stats.beta(alpha, alpha)) < 4
    assert furthest(scipy.stats.beta(1.3 * alpha, alpha)) > 6
    assert furthest(scipy.stats.beta(1.3 * alpha, 1.3 * alpha)) > 4


def test_without_alpha_nothing_is_mixed():
    images, targets = a_batch()
    for name, others in (("mixup", {}), ("cutmix", {"probability": 1.0})):
        mixed, soft = mix(name, images, targets, noise_of(name, 0), alpha=0.0, **others)
        assert mixed.equal(images)
        assert soft.equal(targets)


# In the engine


def engine_of(tiny, name, params, **training):
    settings = TrainingSettings(**{"epochs": 2, "batch_size": 50, "learning_rate": 0.1, **training})
    return SerialEngine(Run("tiny", "nn-2-small", name, params, settings), dataset=tiny, dtype=torch.float64)


def naive_epochs(engine, step):
    """Weights after two epochs by ``step(model, images, labels, number)``, on the engine's batches."""
    model, number = copy.deepcopy(engine.model), 0
    for epoch in range(2):
        for chunk in engine.plan.order(epoch).split(50):
            images = engine.dataset.train_images[chunk].permute(0, 3, 1, 2).double() / 255
            step(model, images, engine.dataset.train_labels[chunk], number)
            number += 1
    return list(model.parameters())


def losses_gradient(model, images, labels):
    return torch.autograd.grad(functional.cross_entropy(model(images), labels), list(model.parameters()))


def test_the_engine_takes_sams_gradient_uphill_and_comes_back(tiny):
    engine = engine_of(tiny, "sam+weight-decay", {"rho": 0.2, "weight_decay": 0.01})
    buffers = [torch.zeros_like(p) for p in engine.parameters]

    def step(model, images, labels, _):
        first = losses_gradient(model, images, labels)
        norm = math.sqrt(sum(float(g.square().sum()) for g in first))
        away = copy.deepcopy(model)
        with torch.no_grad():
            for p, g in zip(away.parameters(), first, strict=True):
                p.add_(0.2 * g / norm)
        for q, g, buffer in zip(model.parameters(), losses_gradient(away, images, labels), buffers, strict=True):
            buffer.mul_(0.9).add_(g + 0.01 * q.detach())
            q.data -= 0.1 * buffer

    expected = naive_epochs(engine, step)
    while not engine.finished:
        engine.train_epoch()
    for p, wanted in zip(engine.parameters, expected, strict=True):
        torch.testing.assert_close(p, wanted, rtol=1e-9, atol=1e-11)


def test_the_engine_decays_by_the_norms_of_all_weights(tiny):
    engine = engine_of(tiny, "adaptive-weight-decay", {"strength": 0.5})
    buffers, means = [torch.zeros_like(p) for p in engine.parameters], [0.0]

    def step(model, images, labels, _):
        gradients = losses_gradient(model, images, labels)
        norms = [
            math.sqrt(sum(float(t.detach().square().sum()) for t in of)) for of in (gradients, list(model.parameters()))
        ]
        means.append(0.1 * means[-1] + 0.9 * 0.5 * norms[0] / norms[1])
        for p, g, buffer in zip(model.parameters(), gradients, buffers, strict=True):
            buffer.mul_(0.9).add_(g + means[-1] * p.detach())
            p.data -= 0.1 * buffer

    expected = naive_epochs(engine, step)
    while not engine.finished:
        engine.train_epoch()
    for p, wanted in zip(engine.parameters, expected, strict=True):
        torch.testing.assert_close(p, wanted, rtol=1e-9, atol=1e-11)


def test_the_engine_settles_weights_after_the_step(tiny):
    params = {"weight_decay": 0.3, "warm_up": 0.3, "rate": 5.0}
    engine = engine_of(tiny, "cautious-weight-decay+constrained-parameters", params)
    buffers = [torch.zeros_like(p) for p in engine.parameters]
    multipliers, bounds, steps = [0.0] * len(buffers), [0.0] * len(buffers), 2 * engine.steps(0)

    def step(model, images, labels, number):
        gradients = losses_gradient(model, images, labels)
        for i, (p, g, buffer) in enumerate(zip(model.parameters(), gradients, buffers, strict=True)):
            buffer.mul_(0.9).add_(g)
            w = p.detach().clone()
            moved = w - 0.1 * buffer - 0.1 * 0.3 * torch.where(buffer * w >= 0, w, 0.0)
            norm = float(moved.square().sum())
            if p.ndim > 1 and bounds[i]:
                multipliers[i] = max(0.0, multipliers[i] + 5.0 / p.numel() * (norm - bounds[i]))
                moved -= 2 * multipliers[i] * moved
            elif p.ndim > 1 and number >= 0.3 * steps:
                bounds[i] = norm
            with torch.no_grad():
                p.copy_(moved)

    expected = naive_epochs(engine, step)
    while not engine.finished:
        engine.train_epoch()
    assert max(multipliers) > 0
    for p, wanted in zip(engine.parameters, expected, strict=True):
        torch.testing.assert_close(p, wanted, rtol=1e-9, atol=1e-11)


def test_sam_leaves_batch_statistics_to_the_first_pass(tiny):
    settings = TrainingSettings(epochs=1, batch_size=200)
    states = []
    for name in ("sam", "weight-decay"):
        params = {"rho": 0.5} if name == "sam" else {"weight_decay": 0.0}
        engine = SerialEngine(Run("tiny", "resnet-8-keras", name, params, settings), dataset=tiny, dtype=torch.float64)
        engine.train_epoch()
        states.append(engine.model.state_dict())
    running = [key for key in states[0] if "running" in key or "tracked" in key]
    assert len(running) > 6
    assert all(states[0][key].equal(states[1][key]) for key in running)
    assert not all(states[0][key].equal(states[1][key]) for key in states[0])

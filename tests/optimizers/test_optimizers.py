"""What every optimizer keeps to; the formulas are in tests/parity."""

import copy
import io
import math

import pytest
import torch

from tune_reg.errors import StudyError
from tune_reg.optimizers import OPTIMIZERS, AcceleratedSGD, EntropySGD, build, citations, evaluations_per_step
from tune_reg.optimizers.adagrad import AdaGrad
from tune_reg.optimizers.per_parameter import PerParameterOptimizer
from tune_reg.references import bibtex

LR = {"sgd": 0.05, "rmsprop": 1e-3, "adam": 1e-3, "adagrad": 1e-2, "accelerated-sgd": 0.01, "entropy-sgd": 10.0}


class Training:
    """A small net on batches in a fixed order; its state is a checkpoint's."""

    def __init__(self, name, dtype=torch.float64, channels_last=False):
        torch.manual_seed(0)
        drawn = torch.Generator().manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(2, 3, 3),
            torch.nn.BatchNorm2d(3),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(48, 4),
        ).to(dtype)
        if channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.images = torch.randn(64, 2, 6, 6, generator=drawn, dtype=torch.float64).to(dtype)
        self.labels = torch.randint(4, (64,), generator=drawn)
        self.optimizer = build(
            name,
            self.net.parameters(),
            lr=LR[name],
            momentum=0.9,
            weight_decay=1e-3,
            generator=torch.Generator().manual_seed(1),
        )
        self.evaluations = 0

    def closure(self):
        begin = self.evaluations * 8 % 64
        self.evaluations += 1
        self.optimizer.zero_grad()
        outputs = self.net(self.images[begin : begin + 8])
        loss = torch.nn.functional.cross_entropy(outputs, self.labels[begin : begin + 8])
        loss.backward()
        for p in self.net.parameters():
            p.grad = torch.empty_like(p).copy_(p.grad)
        return loss.item()

    def steps(self, n):
        return [self.optimizer.step(self.closure) for _ in range(n)]

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])

    def state(self):
        file = io.BytesIO()
        state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "at": self.evaluations}
        torch.save(state, file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    def load(self, state):
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.evaluations = state["at"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_training_ends_as_the_uninterrupted_one(name, dtype):
    whole = Training(name, dtype=dtype)
    whole.steps(40)
    first = Training(name, dtype=dtype)
    first.steps(17)
    state = first.state()
    first.steps(3)  # what is done after the checkpoint does not change it
    second = Training(name, dtype=dtype)
    second.steps(2)  # nor does what was there before
    second.load(state)
    second.steps(23)
    assert torch.equal(second.weights(), whole.weights())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_seed_repeats_and_the_loss_falls(name):
    one, other = Training(name), Training(name)
    losses = one.steps(60)
    other.steps(60)
    assert torch.equal(one.weights(), other.weights())
    assert sum(losses[-8:]) < 0.9 * sum(losses[:8])
    assert one.evaluations == 60 * evaluations_per_step(name)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_layout_in_memory_does_not_matter(name):
    plain, last = Training(name), Training(name, channels_last=True)
    plain.steps(10)
    last.steps(10)
    assert next(last.net.parameters()).is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(plain.weights(), last.weights(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_gradient_rests(name):
    used, unused = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = build(name, [used, unused], lr=0.1, weight_decay=0.1)

    def closure():
        optimizer.zero_grad()
        loss = used.square().sum()
        loss.backward()
        return loss.item()

    for _ in range(3):
        optimizer.step(closure)
    assert torch.equal(unused, torch.ones(3))
    assert not torch.equal(used, torch.ones(3))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_momentum_is_of_sgd_alone(name):
    def trained(momentum):
        w = torch.nn.Parameter(torch.arange(1.0, 4.0))
        optimizer = build(name, [w], lr=0.1, momentum=momentum, generator=torch.Generator().manual_seed(0))

        def closure():
            optimizer.zero_grad()
            loss = w.square().sum()
            loss.backward()
            return loss.item()

        for _ in range(4):
            optimizer.step(closure)
        return w.detach()

    assert torch.equal(trained(0.0), trained(0.9)) == (name != "sgd")


def test_fused_where_torch_has_it():
    parameter = torch.nn.Parameter(torch.ones(3))
    fused = {name for name in OPTIMIZERS if build(name, [parameter], lr=0.1).defaults.get("fused")}
    assert fused == {"sgd", "adam", "adagrad"}


def test_the_table():
    assert list(OPTIMIZERS) == ["sgd", "rmsprop", "adam", "adagrad", "accelerated-sgd", "entropy-sgd"]
    assert len({entry.description for entry in OPTIMIZERS.values()}) == 6
    for name in OPTIMIZERS:
        optimizer = build(name, [torch.nn.Parameter(torch.ones(3))], lr=0.1, weight_decay=0.25)
        assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.1, 0.25)
        assert getattr(optimizer, "evaluations_per_step", 1) == evaluations_per_step(name)
    for ask in (lambda name: build(name, [], lr=0.1), evaluations_per_step, lambda name: citations([name])):
        with pytest.raises(StudyError) as caught:
            ask("adm")
        assert str(caught.value) == (
            "optimizer 'adm' is not known; did you mean 'adam'? "
            "known: sgd, rmsprop, adam, adagrad, accelerated-sgd, entropy-sgd"
        )


def test_every_optimizer_but_sgd_is_cited_once_in_the_order_given():
    assert citations(["sgd"]) == citations([]) == []
    assert citations(["rmsprop", "adam", "rmsprop"]) == [
        ("RMSprop (the optimizer)", bibtex("hinton2012rmsprop")),
        ("Adam (the optimizer)", bibtex("kingma2015adam")),
    ]
    cited = citations(OPTIMIZERS)
    assert len(cited) == len(set(cited)) == len(OPTIMIZERS) - 1
    assert all(entry.name == name and entry.description for name, entry in OPTIMIZERS.items())


def weight():
    return [torch.nn.Parameter(torch.ones(3))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr >= 0 must hold, but got lr=-0.1"),
        ({"lr": math.nan}, "lr >= 0 must hold, but got lr=nan"),
        ({"weight_decay": -1.0}, "weight_decay >= 0 must hold, but got weight_decay=-1.0"),
        ({"weight_decay": math.inf}, "weight_decay >= 0 must hold, but got weight_decay=inf"),
        ({"kappa": 0.5}, "kappa >= 1 must hold, but got kappa=0.5"),
        ({"kappa": math.nan}, "kappa >= 1 must hold, but got kappa=nan"),
        ({"xi": -1.0}, "xi >= 0 must hold, but got xi=-1.0"),
        ({"xi": 3000.0}, "xi <= kappa / small_const^2 must hold, but got xi=3000.0 and kappa=1000.0"),
        ({"small_const": 0.0}, "0 < small_const <= 1 must hold, but got small_const=0.0"),
        ({"small_const": 1.5}, "0 < small_const <= 1 must hold, but got small_const=1.5"),
    ],
)
def test_accelerated_sgd_refuses(options, message):
    with pytest.raises(ValueError, match="must hold") as caught:
        AcceleratedSGD(weight(), **{"lr": 0.1, **options})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr >= 0 must hold, but got lr=-0.1"),
        ({"langevin_steps": 0}, "langevin_steps must be a whole number >= 1, but got langevin_steps=0"),
        ({"langevin_steps": 2.0}, "langevin_steps must be a whole number >= 1, but got langevin_steps=2.0"),
        ({"langevin_steps": True}, "langevin_steps must be a whole number >= 1, but got langevin_steps=True"),
        ({"langevin_lr": -1.0}, "langevin_lr >= 0 must hold, but got langevin_lr=-1.0"),
        ({"averaging": 0.0}, "0 < averaging <= 1 must hold, but got averaging=0.0"),
        ({"averaging": 1.1}, "0 < averaging <= 1 must hold, but got averaging=1.1"),
        ({"noise": -1e-4}, "noise >= 0 must hold, but got noise=-0.0001"),
        ({"gamma": math.nan}, "gamma >= 0 must hold, but got gamma=nan"),
        ({"gamma_growth": -1.0}, "gamma_growth >= 0 must hold, but got gamma_growth=-1.0"),
        ({"weight_decay": -1.0}, "weight_decay >= 0 must hold, but got weight_decay=-1.0"),
    ],
)
def test_entropy_sgd_refuses(options, message):
    with pytest.raises(ValueError, match="but got") as caught:
        EntropySGD(weight(), **{"lr": 0.1, **options})
    assert str(caught.value) == message


def test_entropy_sgd_needs_a_closure():
    with pytest.raises(TypeError, match="EntropySGD needs step\\(closure\\)"):
        EntropySGD(weight(), 0.1).step()


@pytest.mark.parametrize("make", [AcceleratedSGD, EntropySGD])
def test_sparse_gradients_are_refused(make):
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = make(embedding.parameters(), 0.1)

    def closure():
        optimizer.zero_grad()
        loss = embedding(torch.tensor([1])).sum()
        loss.backward()
        return loss.item()

    with pytest.raises(RuntimeError, match="needs dense gradients"):
        optimizer.step(closure)


def test_the_noise_of_entropy_sgd_is_that_of_its_generator():
    def moved(seed, noise):
        parameter = torch.nn.Parameter(torch.zeros(1000, dtype=torch.float64))
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        optimizer = EntropySGD(
            [parameter], 1.0, langevin_steps=1, averaging=1.0, noise=noise, gamma=1.0, generator=generator
        )

        def closure():
            parameter.grad = torch.zeros_like(parameter)
            return 0.0

        optimizer.step(closure)
        return parameter.detach()

    assert torch.equal(moved(0, 0.2), moved(0, 0.2))
    assert not torch.equal(moved(0, 0.2), moved(1, 0.2))
    assert torch.equal(moved(0, 0.0), torch.zeros(1000))
    # x - (x - x') = sqrt(eta') noise N(0, 1)
    assert float(moved(0, 0.2).std()) == pytest.approx(math.sqrt(0.1) * 0.2, rel=0.1)
    torch.manual_seed(3)
    one = moved(None, 0.2)
    torch.manual_seed(3)
    assert torch.equal(one, moved(None, 0.2))


def test_a_copy_of_entropy_sgd_goes_on_alike():
    whole = Training("entropy-sgd")
    whole.steps(4)
    copied = copy.deepcopy(whole)
    assert copied.optimizer.evaluations_per_step == 5
    whole.steps(4)
    copied.steps(4)
    assert torch.equal(whole.weights(), copied.weights())


def test_a_state_without_generator_is_read_too():
    optimizer = EntropySGD(weight(), 0.1, generator=torch.Generator())
    optimizer.load_state_dict(EntropySGD(weight(), 0.2).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.2
    EntropySGD(weight(), 0.1).load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_the_step_of_adagrad_on_a_gpu_is_that_of_torch(weight_decay):
    """It is run on a CPU here. The learning rate is a tensor, as in a graph that reads it anew in each step."""
    drawn = torch.Generator().manual_seed(0)
    begin = torch.randn(3, 4, generator=drawn, dtype=torch.float64)
    one, other = (torch.nn.Parameter(begin.clone()) for _ in range(2))
    rate = torch.tensor(0.1, dtype=torch.float64)
    on_device = AdaGrad([one], lr=rate, weight_decay=weight_decay)
    of_torch = torch.optim.Adagrad([other], lr=0.1, weight_decay=weight_decay, foreach=False)
    for learning_rate in (0.1, 0.05, 0.2):
        rate.fill_(learning_rate)
        of_torch.param_groups[0]["lr"] = learning_rate
        gradient = torch.randn(3, 4, generator=drawn, dtype=torch.float64)
        one.grad, other.grad = gradient.clone(), gradient.clone()
        PerParameterOptimizer.step(on_device)
        of_torch.step()
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0)
    torch.testing.assert_close(on_device.state_dict()["state"], of_torch.state_dict()["state"], rtol=1e-12, atol=0)

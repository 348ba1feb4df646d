from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from tune_reg.errors import StudyError
from tune_reg.models import MODELS, Dropout, build, dropout_models, has_dropout, set_dropout, supports_dropout

torch.set_num_threads(1)

RATES = [1 / 16, 1 / 8, 1 / 4, 0.9]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def layer(rate, seed=0):
    made = Dropout()
    set_dropout(made, rate, generator(seed))
    return made


def made(name):
    return build(name, image=(1, 8, 8), classes=3, mean=torch.zeros(1), std=torch.ones(1), seed=0)


@pytest.mark.parametrize("off", [0.0, 0, torch.tensor(0.0)])
def test_off_is_the_very_tensor_and_draws_nothing(off):
    x = torch.randn(4, 5)
    dropout = layer(0.5)
    before = dropout.generator.get_state()
    dropout.rate = off
    assert dropout(x) is x
    dropout.rate = 0.5
    dropout.eval()
    assert dropout(x) is x
    assert dropout.generator.get_state().equal(before)
    dropout.train()
    assert not dropout(x).equal(x)
    assert not dropout.generator.get_state().equal(before)


@pytest.mark.parametrize("rate", RATES)
def test_the_share_and_the_mean(rate):
    n = 200_000
    out = layer(rate)(torch.ones(n, dtype=torch.float64))
    kept = out != 0
    assert out[kept].eq(1 / (1 - rate)).all()
    # 5 standard errors
    assert kept.double().mean().item() == pytest.approx(1 - rate, abs=5 * math.sqrt(rate * (1 - rate) / n))
    assert out.mean().item() == pytest.approx(1, abs=5 * math.sqrt(rate / (1 - rate) / n))


def test_the_mask_is_a_function_of_the_generator_and_the_shape():
    x = torch.rand(2, 3, 4, 5) + 0.1
    masks = [layer(0.5, seed)(x) != 0 for seed in (1, 1, 2)]
    assert masks[0].equal(masks[1])
    assert not masks[0].equal(masks[2])
    assert (layer(0.5, 1)(x.double()) != 0).equal(masks[0])
    last = layer(0.5, 1)(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert (last != 0).equal(masks[0])
    assert layer(0.5, 1)(x.double()).dtype == torch.float64
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert (layer(0.5, 1)(x) != 0).equal(masks[0])
    finally:
        torch.set_default_dtype(default)


def test_a_rate_that_is_a_tensor():
    x = torch.rand(50, 4)
    dropout = layer(0.5, 3)
    dropout.rate = torch.tensor(0.25)
    assert dropout(x).equal(layer(0.25, 3)(x))
    assert repr(dropout) == "Dropout(rate=0.25)"


def test_each_call_and_each_layer_draw_anew():
    model = nn.Sequential(Dropout(), nn.Identity(), Dropout())
    set_dropout(model, 0.5, generator())
    first, second = model[0], model[2]
    assert first.generator is second.generator
    x = torch.ones(100)
    a, b, c = first(x), second(x), first(x)
    assert not a.equal(b)
    assert not a.equal(c)
    again = generator()
    for out in (a, b, c):
        assert (torch.rand(100, generator=again) >= 0.5).equal(out != 0)


def test_torchs_own_state():
    x = torch.ones(100)
    state = torch.get_rng_state()
    layer(0.5)(x)
    assert torch.get_rng_state().equal(state)
    dropout = Dropout()
    set_dropout(dropout, 0.5, None)
    out = dropout(x)
    torch.set_rng_state(state)
    assert dropout(x).equal(out)


@pytest.mark.parametrize("rate", RATES)
def test_gradients_are_masked_and_scaled(rate):
    x = torch.randn(50, 4, dtype=torch.float64, requires_grad=True)
    out = layer(rate)(x)
    kept = out.detach() != 0
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, kept / (1 - torch.tensor(rate, dtype=torch.float64)), rtol=1e-15, atol=0)


def test_not_part_of_the_state_and_copied_with_the_model():
    model = made("nn-2-small")
    set_dropout(model, 0.5, generator())
    assert list(model.state_dict()) == [
        "mean",
        "std",
        *(f"net.{i}.{kind}" for i in (1, 3, 5) for kind in ("weight", "bias")),
    ]
    x = torch.rand(4, 1, 8, 8)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other(x).equal(copy.deepcopy(model)(x))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, math.nan, math.inf])
def test_rates_out_of_range(rate):
    model = made("nn-2-small")
    with pytest.raises(StudyError, match=r"the dropout rate must be in \[0, 1\), got"):
        set_dropout(model, rate, generator())
    assert [m.rate for m in model.modules() if isinstance(m, Dropout)] == [0.0, 0.0]


def test_a_model_without_layers():
    model = made("small-cnn")
    set_dropout(model, 0.0, None)
    with pytest.raises(StudyError, match=r"dropout at rate 0.25 needs a model with layers of tune_reg.models.Dropout"):
        set_dropout(model, 0.25, generator())


# The models


def test_which_models_have_layers():
    counts = {name: sum(isinstance(m, Dropout) for m in made(name).modules()) for name in MODELS}
    expected = {"nn-2": 2, "nn-2-small": 2, "nn-3": 3, "nn-3-small": 3, "lenet-4": 1, "vgg-9": 2}
    assert counts == dict.fromkeys(MODELS, 0) | expected
    assert dropout_models() == [name for name in MODELS if name in expected]
    for name in MODELS:
        assert supports_dropout(name) == has_dropout(made(name)) == (name in expected)


def test_an_unknown_model():
    with pytest.raises(StudyError, match="unknown model 'nn2'; did you mean 'nn-2'"):
        supports_dropout("nn2")


@pytest.mark.parametrize("name", dropout_models())
def test_they_follow_the_relu_of_each_hidden_linear_layer(name):
    *hidden, last = [layer for layer in made(name).net if isinstance(layer, (nn.Linear, nn.Sequential))]
    assert isinstance(last, nn.Linear)
    for linear, after in zip(hidden[::2], hidden[1::2], strict=True):
        assert isinstance(linear, nn.Linear)
        assert [type(layer) for layer in after] == [nn.ReLU, Dropout]


def test_a_perceptron_by_hand():
    model = made("nn-2-small").double()
    x = torch.rand(6, 1, 8, 8, dtype=torch.float64)
    set_dropout(model, 0.25, generator(7))
    out = model(x)
    draws, h = generator(7), x.flatten(1)
    for index in (1, 3):
        h = functional.linear(h, model.net[index].weight, model.net[index].bias).clamp(min=0)
        h = h * (torch.rand(h.shape, generator=draws) >= 0.25) / 0.75
    torch.testing.assert_close(out, functional.linear(h, model.net[5].weight, model.net[5].bias), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", dropout_models())
def test_off_again_is_the_net_without(name):
    model, untouched = made(name), made(name)
    x = torch.rand(4, 1, 8, 8)
    expected = untouched(x)
    set_dropout(model, 0.25, generator())
    assert not model(x).equal(expected)
    set_dropout(model, 0.0, generator())
    assert model(x).equal(expected)

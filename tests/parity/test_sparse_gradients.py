"""Sparse gradients against a naive loop, in float64."""

import copy

import pytest
import torch
from torch import nn

from tune_reg import SparseGradientSGD
from tune_reg.regularizers.sparse_gradients import random_mask


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def batches(steps):
    torch.manual_seed(1)
    return [(torch.randn(7, 5, dtype=torch.float64), torch.randint(3, (7,))) for _ in range(steps)]


def train(model, optimizer, data, shares=None):
    for i, (x, y) in enumerate(data):
        if shares:
            optimizer.set_sparsity(shares[i])
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def test_dense_is_sgd():
    data = batches(60)
    one, other = network(), network()
    sparse = train(one, SparseGradientSGD(one.parameters(), 0.1, momentum=0.9, weight_decay=1e-2), data)
    plain = train(other, torch.optim.SGD(other.parameters(), 0.1, momentum=0.9, weight_decay=1e-2), data)
    for a, b in zip(sparse, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_masks_the_whole_update_until_the_share_changes(momentum):
    """Dense, then half of the weights, then dense again, beside a loop over single weights."""
    shares = [0.0] * 10 + [0.5] * 20 + [0.0] * 10
    data, model = batches(len(shares)), network()
    generator = torch.Generator().manual_seed(9)
    optimizer = SparseGradientSGD(model.parameters(), 0.1, momentum=momentum, weight_decay=1e-2, generator=generator)
    sparse = train(model, optimizer, data, shares)

    other = network()
    parameters = list(other.parameters())
    buffers, masks = [None] * len(parameters), [torch.ones_like(p) for p in parameters]
    again = torch.Generator().manual_seed(9)
    last = 0.0
    for (x, y), share in zip(data, shares, strict=True):
        if share != last:
            masks = [
                random_mask(p.detach(), share, again) if p.ndim > 1 and share else torch.ones_like(p)
                for p in parameters
            ]
            buffers = [None if b is None else b * m for b, m in zip(buffers, masks, strict=True)]
            last = share
        grads = torch.autograd.grad(nn.functional.cross_entropy(other(x), y), parameters)
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(parameters, grads, strict=True)):
                flat, mask = p.view(-1), masks[i].view(-1)
                step = torch.zeros_like(flat)
                for j in range(flat.numel()):
                    d = (g.view(-1)[j] + 1e-2 * flat[j]) * mask[j]
                    old = 0.0 if buffers[i] is None else buffers[i].view(-1)[j]
                    step[j] = d if buffers[i] is None or momentum == 0 else momentum * old + d
                buffers[i] = step.view_as(p).clone()
                flat -= 0.1 * step
    for a, b in zip(sparse, parameters, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.8, 0.99])
def test_the_count_is_exact(share):
    mask = random_mask(torch.zeros(13, 7), share, torch.Generator().manual_seed(0))
    assert int((mask == 0).sum()) == round(share * 91)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}


def test_masked_weights_stay_bit_for_bit_and_biases_learn():
    model, data = network(), batches(12)
    optimizer = SparseGradientSGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-2)
    train(model, optimizer, data[:4])
    optimizer.set_sparsity(0.8)
    before = [p.detach().clone() for p in model.parameters()]
    train(model, optimizer, data[4:])
    for parameter, old in zip(model.parameters(), before, strict=True):
        resting = int((parameter == old).sum())
        assert resting == (round(0.8 * parameter.numel()) if parameter.ndim > 1 else 0)


def test_resumed_equals_uninterrupted():
    data, shares = batches(20), [0.0] * 5 + [0.5] * 15
    whole = network()
    expected = train(whole, SparseGradientSGD(whole.parameters(), 0.1, momentum=0.9, sparsity=0.0), data, shares)
    model = network()
    optimizer = SparseGradientSGD(model.parameters(), 0.1, momentum=0.9)
    torch.manual_seed(3)
    train(model, optimizer, data[:10], shares[:10])
    resumed = network()
    resumed.load_state_dict(model.state_dict())
    second = SparseGradientSGD(resumed.parameters(), 0.1, momentum=0.9)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert second.sparsity == 0.5
    straight = train(model, optimizer, data[10:], shares[10:])
    for a, b in zip(train(resumed, second, data[10:], shares[10:]), straight, strict=True):
        assert a.equal(b)
    assert not all(a.equal(b) for a, b in zip(expected, straight, strict=True)), "another mask, another training"


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_share_outside_its_range_is_named(share):
    with pytest.raises(ValueError, match="0 <= q < 1 must hold, but got q="):
        SparseGradientSGD(network().parameters(), 0.1, sparsity=share)

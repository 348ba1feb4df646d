"""SGD in one pass over memory, by Triton's interpreter, against torch's optimizer."""

import pytest
import torch
from interpreted_kernels import interpreted as interpreted_by_triton

from tune_reg.optimizers.fused_sgd import agrees, fused_sgd
from tune_reg.optimizers.rows import row_layout

pytest.importorskip("triton")


@pytest.fixture
def interpreted(monkeypatch):
    """The function whose kernel is interpreted on the CPU."""
    return interpreted_by_triton(monkeypatch, "tune_reg.optimizers.sgd_kernel", "sgd_in_one_pass")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("shapes", [[(1,)], [(1024,)], [(7, 3), (1,), (5, 5, 60), (16, 94), (1025,)]])
def test_it_is_sgd_of_torch_in_every_lane(interpreted, shapes, decays, masked):
    layout = row_layout(shapes)
    source = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=source)

    rates, momentum = drawn(3, 1).abs(), torch.tensor([[0.9], [0.5], [0.0]], dtype=torch.float64)
    decay = drawn(3, 1).abs() if decays else None
    masks = (drawn(3, layout.width) > 0).double() if masked else None
    weights = layout.join([drawn(3, *shape) for shape in shapes])
    momenta = torch.zeros_like(weights)
    alone = [torch.nn.Parameter(row.clone()) for row in weights]
    optimizers = [
        torch.optim.SGD([w], lr=float(rate), momentum=float(mu))
        for w, rate, mu in zip(alone, rates, momentum, strict=True)
    ]
    for _ in range(3):
        gradients = [drawn(3, *shape) for shape in shapes]
        rows = layout.join(gradients)
        for lane, (w, optimizer) in enumerate(zip(alone, optimizers, strict=True)):
            w.grad = rows[lane] + (0 if decay is None else decay[lane] * w.detach())
            w.grad *= 1 if masks is None else masks[lane]
            optimizer.step()
        interpreted(weights, gradients, momenta, rates, momentum, decay, masks)
    assert torch.allclose(weights, torch.stack([w.detach() for w in alone]), rtol=1e-12, atol=1e-12)
    for rows in (weights, momenta):
        assert rows.equal(layout.join(layout.split(rows)))  # the padding is 0


def test_gradients_may_lie_in_any_order_of_memory(interpreted):
    source = torch.Generator().manual_seed(0)
    gradient, number = torch.randn(2, 3, 5, generator=source), torch.ones(2, 1)
    layout, results = row_layout([(3, 5)]), []
    for ordered in (gradient, gradient.mT.contiguous().mT):
        weights, momenta = torch.zeros(2, 2, layout.width)
        interpreted(weights, [ordered], momenta, number, number, None, None)
        results.append(layout.split(weights)[0])
    assert [result.equal(-gradient) for result in results] == [True, True]


def test_the_comparison_finds_what_differs(interpreted):
    def forgetful(weights, gradients, momenta, rates, momentum, decays, masks):
        interpreted(weights, gradients, momenta, rates, momentum, decays, None)

    def without_the_first_gradient(weights, gradients, *others):
        interpreted(weights, [torch.zeros_like(gradients[0]), *gradients[1:]], *others)

    assert agrees(interpreted, torch.device("cpu"), torch.float32)
    assert not agrees(forgetful, torch.device("cpu"), torch.float32)
    assert not agrees(without_the_first_gradient, torch.device("cpu"), torch.float32)


def test_it_is_for_cuda_alone():
    assert fused_sgd(torch.device("cpu"), torch.float32) is None


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_a_gpu_it_gives_what_torch_gives(dtype):
    assert fused_sgd(torch.device("cuda"), dtype) is not None

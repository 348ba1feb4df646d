"""SGD in one pass over memory, by Triton's interpreter, against torch's optimizer."""

import pytest
import torch
from interpreted_kernels import interpreted as interpreted_by_triton

from tune_reg.optimizers.fused_sgd import agrees, fused_sgd

pytest.importorskip("triton")


@pytest.fixture
def interpreted(monkeypatch):
    """The function whose kernel is interpreted on the CPU."""
    return interpreted_by_triton(monkeypatch, "sgd_kernel", "sgd_in_one_pass")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("n", [1, 1024, 1500])
def test_it_is_sgd_of_torch_in_every_lane(interpreted, n, decays, masked):
    source = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=source)

    rates, momentum = drawn(3, 1).abs(), torch.tensor([[0.9], [0.5], [0.0]], dtype=torch.float64)
    decay = drawn(3, 1).abs() if decays else None
    masks = (drawn(3, n) > 0).double() if masked else None
    weights, momenta = drawn(3, n), torch.zeros(3, n, dtype=torch.float64)
    alone = [torch.nn.Parameter(row.clone()) for row in weights]
    optimizers = [
        torch.optim.SGD([w], lr=float(rate), momentum=float(mu))
        for w, rate, mu in zip(alone, rates, momentum, strict=True)
    ]
    for _ in range(3):
        gradient = drawn(3, n)
        for lane, (w, optimizer) in enumerate(zip(alone, optimizers, strict=True)):
            w.grad = gradient[lane] + (0 if decay is None else decay[lane] * w.detach())
            w.grad *= 1 if masks is None else masks[lane]
            optimizer.step()
        interpreted(weights, gradient, momenta, rates, momentum, decay, masks)
    assert torch.allclose(weights, torch.stack([w.detach() for w in alone]), rtol=1e-12, atol=1e-12)


def test_the_comparison_finds_what_differs(interpreted):
    def forgetful(weights, gradient, momenta, rates, momentum, decays, masks):
        interpreted(weights, gradient, momenta, rates, momentum, decays, None)

    assert agrees(interpreted, torch.device("cpu"), torch.float32)
    assert not agrees(forgetful, torch.device("cpu"), torch.float32)


def test_it_is_for_cuda_alone():
    assert fused_sgd(torch.device("cpu"), torch.float32) is None


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_a_gpu_it_gives_what_torch_gives(dtype):
    assert fused_sgd(torch.device("cuda"), dtype) is not None

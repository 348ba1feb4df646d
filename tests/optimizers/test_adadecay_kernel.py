"""SGD with AdaDecay in one pass over memory, by Triton's interpreter, against its formula and torch's optimizer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from interpreted_kernels import interpreted as interpreted_by_triton
from interpreted_kernels import needs_loops_to_loaded_bounds

from tune_reg.optimizers.rows import row_layout
from tune_reg.regularizers import Regularizer, regularizer
from tune_reg.regularizers.adadecay import AdaDecayRegularizer
from tune_reg.regularizers.adadecay.one_pass import agrees, fused_adadecay, sigmoid_decay

pytest.importorskip("triton")

CPU = torch.device("cpu")
HERE = Path(__file__).parent
LANES = 3


@pytest.fixture
def interpreted(monkeypatch):
    """The function whose kernels are interpreted on the CPU."""
    needs_loops_to_loaded_bounds()
    return interpreted_by_triton(monkeypatch, "tune_reg.optimizers.adadecay_kernel", "adadecay_in_one_pass")


@pytest.fixture
def drawn():
    """A function that draws normal numbers in float64."""
    source = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=source)


def factors(gradient, alpha):
    """Theta of one layer, as the paper writes it."""
    size = np.abs(gradient.numpy())
    spread = size.std()
    return torch.from_numpy(2 / (1 + np.exp(-alpha * (size - size.mean()) / (spread if spread > 0 else 1))))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("shapes", [[(1,)], [(1024,)], [(3,), (1,), (5, 5, 60), (16, 94), (1025,)]])
def test_it_is_the_formula_and_sgd_of_torch_in_every_lane(interpreted, drawn, shapes, random, decays, masked):
    layout = row_layout(shapes)

    def drawn_rows():
        return layout.join([drawn(LANES, *shape) for shape in shapes])

    rates, momentum = drawn(LANES, 1).abs(), torch.tensor([[0.9], [0.5], [0.0]], dtype=torch.float64)
    strengths, alphas = torch.tensor([0.3, 0.0, 0.1]).double(), torch.tensor([4.0, 1.0, -1.0]).double()
    decay = drawn(LANES, 1).abs() if decays else None
    masks = (drawn_rows() > 0).double() if masked else None
    weights = drawn_rows()
    momenta = torch.zeros_like(weights)
    alone = [torch.nn.Parameter(row.clone()) for row in weights]
    optimizers = [
        torch.optim.SGD([w], lr=float(rate), momentum=float(mu))
        for w, rate, mu in zip(alone, rates, momentum, strict=True)
    ]
    for _ in range(3):
        gradients = [drawn(LANES, *shape) for shape in shapes]
        gradients[0][1] = -0.7  # of one size, so that theta is 1
        rows, noise = layout.join(gradients), drawn_rows() if random else None
        of_layers = [torch.stack([factors(g, float(a)) for g, a in zip(gs, alphas, strict=True)]) for gs in gradients]
        thetas = layout.join(of_layers) if noise is None else 2 / (1 + torch.exp(-alphas.unsqueeze(1) * noise))
        for lane, (w, optimizer) in enumerate(zip(alone, optimizers, strict=True)):
            w.grad = rows[lane] + strengths[lane] * thetas[lane] * w.detach()
            w.grad += 0 if decay is None else decay[lane] * w.detach()
            w.grad *= 1 if masks is None else masks[lane]
            optimizer.step()
        numbers = {"strengths": strengths, "alphas": alphas, "noise": noise}
        interpreted(weights, gradients, momenta, rates, momentum, decay, masks, **numbers)
    assert torch.allclose(weights, torch.stack([w.detach() for w in alone]), rtol=1e-12, atol=1e-12)
    for tensor in (weights, momenta):
        assert tensor.equal(layout.join(layout.split(tensor)))  # the padding is 0


def test_a_layer_of_many_pieces_and_gradients_whose_squares_are_0(interpreted, drawn):
    """More pieces than are added up at a time, in float32."""
    layout = row_layout([(1024 * 130 + 5,)])
    (piece,) = layout.pieces
    gradient = 1e-30 * drawn(1, *piece.shape).float()
    weights = layout.join([drawn(1, *piece.shape).float()])
    one, none = torch.ones(1, 1), torch.zeros(1, 1)
    momenta = torch.zeros_like(weights)
    numbers = {"strengths": one[0], "alphas": 4 * one[0], "noise": None}
    expected = gradient + (factors(gradient[0].double(), 4.0) * layout.split(weights)[0]).float()
    interpreted(weights, [gradient], momenta, one, none, None, None, **numbers)
    assert torch.allclose(layout.split(momenta)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_lane_that_is_not_finite_leaves_the_others_as_they_are(interpreted, drawn):
    layout, states = row_layout([(5,), (1030,)]), []
    weights, gradients = layout.join([drawn(2, 5), drawn(2, 1030)]), [drawn(2, 5), drawn(2, 1030)]
    column, numbers = torch.full((2, 1), 0.5).double(), torch.ones(2).double()
    for value in (0.0, float("nan"), float("inf")):
        gradients[1][1, 2] = value
        w, momenta = weights.clone(), torch.zeros_like(weights)
        interpreted(
            w,
            gradients,
            momenta,
            column,
            column,
            None,
            None,
            strengths=numbers,
            alphas=numbers,
            noise=None,
        )
        states.append(w)
    assert all(state[0].equal(states[0][0]) for state in states)
    assert not states[1][1].isfinite().all()
    padding = layout.join([torch.ones(2, 5), torch.ones(2, 1030)]) == 0
    assert all((state[padding] == 0).all() for state in states)


def test_the_comparison_finds_what_differs(interpreted):
    def without_noise(*tensors, noise, **numbers):
        interpreted(*tensors, noise=None, **numbers)

    def one_layer(weights, gradients, *others, **numbers):
        rows = row_layout([gradient.shape[1:] for gradient in gradients]).join(gradients)
        interpreted(weights, [rows], *others, **numbers)

    for dtype in (torch.float32, torch.float64):
        assert agrees(interpreted, CPU, dtype)
    assert not agrees(without_noise, CPU, torch.float32)
    assert not agrees(one_layer, CPU, torch.float32)


def test_it_does_the_work_of_the_hooks_of_those_regularizers_alone():
    class Derived(AdaDecayRegularizer):
        def gradient(self, gradient, *others):
            return gradient

    numbers = {name: torch.ones(2) for name in ("weight_decay", "alpha", "adadecay_weight_decay", "rate", "strength")}

    def of(name, **choices):
        return sigmoid_decay(regularizer(name)(**choices), numbers)

    assert of("adadecay") == (numbers["weight_decay"], numbers["alpha"], False)
    assert of("adadecay+weight-decay")[0] is numbers["adadecay_weight_decay"]
    assert of("dropout+adadecay-randomized").random
    assert of("adadecay", mode="decoupled") is None
    assert [of(f"adadecay-{name}") for name in ("matched", "shuffled")] == [None, None]
    assert [of(f"adadecay+{name}") for name in ("l1", "decoupled-weight-decay")] == [None, None]
    assert sigmoid_decay(Derived(), numbers) is None
    assert issubclass(Derived, Regularizer)


def test_it_is_for_cuda_alone():
    assert fused_adadecay(CPU, torch.float32) is None


@pytest.mark.slow
def test_the_kernels_compile_for_an_h100(tmp_path):
    """A binary for compute capability 9.0; it cannot be run here."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, HERE / "compiled.py"], env=environment, capture_output=True, text=True, check=True, timeout=280
    )
    lines = [line.split("; ") for line in done.stdout.splitlines()]
    names = ["_kernel", "_block_statistics", "_layer_statistics", "_step", "_step"]
    assert [kernel for kernel, size, *_ in lines if int(size) > 0] == [name for name in names for _ in range(2)]
    # A program reads and writes 1024 numbers in 128 threads, so 8 of each tensor in a thread: two times four.
    at_once = [([int(n) for n in re.findall(r"\d", loads)], stores) for _, _, loads, stores in lines]
    assert {n for loads, _ in at_once for n in loads} == {4}
    tensors = [4, 3, 1, 0, 0, 0, 4, 3, 5, 4]
    assert [len(loads) for loads, _ in at_once] == [2 * count for count in tensors]
    assert [stores for _, stores in at_once] == [str([4] * n) for n in (4, 4, 0, 0, 0, 0, 4, 4, 4, 4)]


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_a_gpu_it_gives_what_torch_gives(dtype):
    assert fused_adadecay(torch.device("cuda"), dtype) is not None

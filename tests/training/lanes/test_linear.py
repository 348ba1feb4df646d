"""Linear layers in lanes: torch's values and derivatives, and gradients that no step has to bring into order."""

import pytest
import torch
from torch.func import vmap
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tune_reg.training import LaneEngine, Run, TrainingSettings
from tune_reg.training.lanes.linear import LaneLinear
from tune_reg.training.precision import Bfloat16

LANES = 3


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_values_and_derivatives_are_those_of_vmap(shared, biased):
    def results():
        rows = random(*(() if shared else (LANES,)), 5, 4).requires_grad_()
        weights, bias = random(LANES, 6, 4).requires_grad_(), random(LANES, 6).requires_grad_()
        layer = functional.linear if biased else (lambda x, w, _: functional.linear(x, w))
        outputs = vmap(layer, in_dims=(None if shared else 0, 0, 0))(rows, weights, bias)
        wanted = [rows, weights, bias] if biased else [rows, weights]
        first = torch.autograd.grad(outputs.sigmoid().square().sum(), wanted, create_graph=True)
        return [outputs, *first, *torch.autograd.grad(first[0].square().sum(), wanted)]

    reference = results()
    with LaneLinear():
        taken = results()
    for one, other in zip(taken, reference, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (2, 5, 4)])
def test_what_is_no_batch_of_rows_stays_with_torch(shape):
    rows, weights = random(LANES, *shape), random(LANES, 6, 4)
    with LaneLinear():
        outputs = vmap(functional.linear)(rows, weights)
    assert outputs.equal(vmap(functional.linear)(rows, weights))


def test_gradients_are_in_the_order_of_the_weights_in_bfloat16_too():
    rows, weights = random(LANES, 5, 4).float(), random(LANES, 6, 4).float().requires_grad_()
    with LaneLinear(), Bfloat16():
        outputs = vmap(functional.linear)(rows, weights)
    assert outputs.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(outputs.float().sum(), weights)
    assert gradient.dtype == torch.float32
    assert gradient.is_contiguous()


class Copies(TorchDispatchMode):
    """Collects the copies of tensors with at least ``numel`` numbers: name, and whether the order of memory changes."""

    def __init__(self, numel):
        super().__init__()
        self.numel, self.seen = numel, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name == "_foreach_copy_":
            pairs = list(zip(*args[:2], strict=True))
        elif name in ("copy_", "clone", "_to_copy", "stack", "cat"):
            pairs = [(result, tensor) for tensor in tree_leaves(args) if isinstance(tensor, torch.Tensor)]
        else:
            pairs = []
        # Lanes lie apart in the row of all weights, so only what is within a lane counts.
        self.seen += [
            (name, to.stride()[1:] != of.stride()[1:]) for to, of in pairs if max(to.numel(), of.numel()) >= self.numel
        ]
        return result


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
@pytest.mark.parametrize(("model", "layers"), [("nn-2", 2), ("lenet-4", 1)])
@pytest.mark.parametrize("name", ["weight-decay", "dropout"])
def test_a_step_copies_gradients_once_and_in_their_order(random_images, model, layers, name):
    """``layers``: the large ones. The device "meta" has shapes alone."""
    runs = [Run("tiny", model, name, {}, TrainingSettings(epochs=1, batch_size=4), seed=seed) for seed in (0, 1)]
    engine = LaneEngine(runs, dataset=random_images(20, 5, 28), device="meta")
    program, plans = engine._program_for([0, 1]), [lane.plan for lane in engine.lanes]
    program.inputs.begin(
        [(plan, 0) for plan in plans], [plan.epoch_settings(0) for plan in plans], [plan.order(0) for plan in plans]
    )
    program.inputs.draw(0)
    with Copies(numel=2 * 200_000) as copies:
        program.step(program.inputs.steps[0])
    assert copies.seen == [("_foreach_copy_", False)] * layers

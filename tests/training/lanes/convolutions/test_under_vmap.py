"""Networks under vmap take a formulation for their convolutions, with the results that vmap gives by itself."""

import math

import pytest
import torch
from convolution_layers import distance
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from tune_reg import models
from tune_reg.training import LaneEngine, Run, TrainingSettings
from tune_reg.training.lanes import networks
from tune_reg.training.lanes.convolutions import FORMULATIONS, LaneConvolutions
from tune_reg.training.precision import Bfloat16

#: Those that run on a CPU.
ANYWHERE = [name for name in FORMULATIONS if not name.startswith("implicit GEMM")]
LANES = 3


class Counted:
    """A formulation that counts its calls and keeps the dtypes and shapes that it was called with."""

    def __init__(self, name):
        self.calls, self._formulation = [], FORMULATIONS[name]

    def __call__(self, inputs, weights, bias, geometry):
        self.calls.append((inputs.dtype, weights.dtype, tuple(inputs.shape), tuple(weights.shape)))
        return self._formulation(inputs, weights, bias, geometry)


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("model", ["lenet-4", "small-cnn", "resnet-8-keras"])
def test_a_network_has_the_outputs_and_derivatives_that_vmap_gives(model, shared):
    network = models.build(model, image=(1, 18, 18), classes=3, mean=torch.zeros(1), std=torch.ones(1), seed=0).double()
    parameters = {name: random(LANES, *p.shape) * p.std() + p for name, p in network.named_parameters()}
    buffers = {name: b.expand(LANES, *b.shape).clone() for name, b in network.named_buffers()}
    images = random(2, 1, 18, 18) if shared else random(LANES, 2, 1, 18, 18)

    def results():
        stacked = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
        inputs = images.clone().requires_grad_()
        kept = {name: buffer.clone() for name, buffer in buffers.items()}
        outputs = vmap(lambda tensors, x: functional_call(network, tensors, (x,)), in_dims=(0, None if shared else 0))(
            {**stacked, **kept}, inputs
        )
        wanted = [*stacked.values(), inputs]
        first = torch.autograd.grad(outputs.square().sum(), wanted, create_graph=True)
        second = torch.autograd.grad(first[-1].square().sum(), list(stacked.values()), allow_unused=True)
        return [outputs, *first, *(gradient for gradient in second if gradient is not None)]

    reference = results()
    for name in ANYWHERE:
        formulation = Counted(name)
        with LaneConvolutions(formulation):
            taken = results()
        assert len(formulation.calls) == sum(isinstance(layer, torch.nn.Conv2d) for layer in network.modules())
        for one, other in zip(taken, reference, strict=True):
            assert torch.allclose(one, other, rtol=1e-7, atol=1e-9), name


def channels_last(inputs, weights, bias, geometry):
    """Outputs whose channels come last in the memory of each lane, as a kernel's do."""
    outputs = FORMULATIONS["grouped"](inputs, weights, bias, geometry)
    return outputs.movedim(2, -1).contiguous().movedim(-1, 2)


def test_batch_normalisation_gets_its_images_in_an_order_that_torch_can_read():
    seen = []

    class Watched(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is functional.batch_norm:
                seen.append(args[0].is_contiguous())
            return func(*args, **(kwargs or {}))

    images, weights, bias = random(LANES, 2, 2, 5, 6), random(LANES, 4, 2, 3, 3), random(LANES, 4)

    def network(images, weights, bias):
        return functional.batch_norm(functional.conv2d(images, weights, bias), None, None, training=True)

    with Watched(), LaneConvolutions(channels_last):
        outputs = vmap(network)(images, weights, bias)
    assert seen == [True]
    assert torch.allclose(
        outputs, torch.stack([network(*of_lane) for of_lane in zip(images, weights, bias, strict=True)])
    )


@pytest.mark.cuda
@pytest.mark.parametrize("formulation", [*FORMULATIONS.values(), channels_last])
@pytest.mark.filterwarnings("default::UserWarning")
def test_a_network_with_batch_normalisation_trains_on_the_device_with_each_formulation(
    formulation, random_images, monkeypatch
):
    monkeypatch.setattr(networks, "convolution_for", lambda device, twice: formulation)
    runs = [Run("tiny", "resnet-14", "l1", {}, TrainingSettings(epochs=1, batch_size=8), seed=seed) for seed in (0, 1)]
    rows = LaneEngine(runs, dataset=random_images(24, 6, 12), device="cuda").train_epoch()
    assert all(math.isfinite(row["train_loss"]) for row in rows.values())


def test_convolutions_see_the_dtypes_of_the_precision():
    formulation = Counted("im2col")
    images, weights = random(2, 1, 5, 5, dtype=torch.float32), random(LANES, 4, 1, 3, 3, dtype=torch.float32)
    with LaneConvolutions(formulation), Bfloat16():
        outputs = vmap(functional.conv2d, in_dims=(None, 0))(images, weights)
    assert outputs.dtype == torch.bfloat16
    assert formulation.calls == [(torch.bfloat16, torch.bfloat16, (2, 1, 5, 5), (LANES, 4, 1, 3, 3))]


def test_lanes_may_be_at_any_axis_and_biases_and_weights_shared():
    images, weights, bias = random(2, LANES, 2, 5, 6), random(4, 2, 3, 3), random(4, LANES)
    with LaneConvolutions(FORMULATIONS["im2col"]):
        own = vmap(functional.conv2d, in_dims=(1, None, 1))(images, weights, bias)
        common = vmap(functional.conv2d, in_dims=(1, None, None))(images, weights, bias[:, 0])
    for lane in range(LANES):
        assert torch.allclose(own[lane], functional.conv2d(images[:, lane], weights, bias[:, lane]))
        assert torch.allclose(common[lane], functional.conv2d(images[:, lane], weights, bias[:, 0]))


def test_what_has_no_lanes_is_a_convolution_of_torch_with_all_its_derivatives():
    tensors = [random(2, 2, 5, 6).requires_grad_(), random(3, 2, 2, 3).requires_grad_(), random(3).requires_grad_()]
    formulation = Counted("grouped")

    def function(*tensors):
        with LaneConvolutions(formulation):
            one = functional.conv2d(*tensors, stride=2, padding=(1, 0))
            without_lanes = vmap(lambda factor: factor * functional.conv2d(*tensors, 2, (1, 0)).sum())(torch.ones(2))
        return one, without_lanes

    assert torch.allclose(function(*tensors)[0], functional.conv2d(*tensors, stride=2, padding=(1, 0)))
    assert torch.autograd.gradcheck(function, tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, tensors, fast_mode=True)
    assert not formulation.calls


@pytest.mark.filterwarnings("ignore:Using padding")
def test_what_no_formulation_takes_stays_with_vmap():
    formulation = Counted("grouped")
    images, weights = random(LANES, 2, 5, 5), random(LANES, 4, 2, 2, 2)
    with LaneConvolutions(formulation):
        uneven = vmap(lambda x, w: functional.conv2d(x, w, padding="same"))(images.unsqueeze(1), weights)
        single = vmap(functional.conv2d)(images, weights)
    assert torch.allclose(single[0], functional.conv2d(images[0], weights[0]))
    assert uneven.shape == (LANES, 1, 4, 5, 5)
    assert not formulation.calls


@pytest.mark.parametrize("name", ["db", "jac", "fob", "hsfob"])
def test_lanes_train_alike_in_each_formulation(name, random_images, monkeypatch):
    """Penalties differentiate through convolutions twice."""
    dataset = random_images(33, 6, 18)  # of 18 x 18 pixels, so that no two patches tie in a max pooling
    training = TrainingSettings(epochs=1, batch_size=11, learning_rate=0.02)
    runs = [Run("tiny", "small-cnn", name, {"strength": 0.01}, training, seed=seed) for seed in (0, 1)]

    def weights():
        engine = LaneEngine(runs, dtype=torch.float64, dataset=dataset)
        engine.train_epoch()
        return [*engine.state(0)["model"].values(), *engine.state(1)["model"].values()]

    reference = weights()
    for formulation in map(Counted, ANYWHERE):
        monkeypatch.setattr(networks, "convolution_for", lambda device, twice, taken=formulation: taken)
        assert distance(weights(), reference) < 1e-7
        assert formulation.calls

"""Max-pooling in each way gives torch's values and derivatives bit for bit, alone, under vmap and in training."""

import pytest
import torch
from pooled_images import LANES, ORDERS, images_in, of_each, same_bits
from torch.func import vmap
from torch.nn import functional

from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings, fastest, max_pool, serial_engine
from tune_reg.training.fastest import Measured
from tune_reg.training.lanes import networks
from tune_reg.training.max_pool import (
    POOLS,
    Layer,
    by_masks,
    layer_of,
    max_pools,
    measure,
    of_torch,
    pool_for,
    unmoved,
)

CPU = torch.device("cpu")
#: The ways that need no GPU: Triton's kernels need one, or the interpreter of test_max_pool_kernel.py.
ANYWHERE = {name: pool for name, pool in POOLS.items() if name != "kernel"}


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    ("window", "left_over"), [((2, 2), (0, 0)), ((3, 3), (2, 1)), ((2, 3), (0, 2)), ((2, 2), (1, 0)), ((1, 2), (0, 0))]
)
@pytest.mark.parametrize(
    "values", ["random", "ties", "zeros of both signs", "not finite", "infinite", "nothing but -inf"]
)
def test_values_and_gradients_are_those_of_torch_bit_for_bit(order, window, left_over, values):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        images = images_in(order, window, values, dtype, left_over).requires_grad_()
        assert layer_of(images, window).order == order
        reference = of_each(images, window)
        along = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
        (gradient,) = torch.autograd.grad(reference, images, along)
        for name, pool in ANYWHERE.items():
            outputs = pool(images, window)
            assert same_bits(outputs, reference), name
            (taken,) = torch.autograd.grad(outputs, images, along)
            assert torch.equal(taken, gradient), name


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("pool", [unmoved, by_masks])
@pytest.mark.parametrize("left_over", [(0, 0), (1, 1)])
def test_outputs_and_gradients_lie_in_memory_as_the_images_do(order, pool, left_over):
    images = images_in(order, (2, 2), "random", left_over=left_over).requires_grad_()
    outputs = pool(images, (2, 2))
    (gradient,) = torch.autograd.grad(outputs, images, torch.ones_like(outputs))
    assert layer_of(outputs, (2, 2)).order == order
    assert gradient.stride() == images.stride()


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("pool", ANYWHERE.values())
@pytest.mark.parametrize("left_over", [(0, 0), (1, 1)])
def test_first_and_second_derivatives_are_those_of_finite_differences(order, pool, left_over):
    """The square makes the second derivative of what is summed depend on the pooling's own derivative."""
    images = images_in(order, (2, 2), "random", left_over=left_over).requires_grad_()

    def function(images):
        return pool(images, (2, 2)).square()

    assert torch.autograd.gradcheck(function, images, fast_mode=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, images, fast_mode=True)


@pytest.mark.parametrize("pool", ANYWHERE.values())
@pytest.mark.parametrize("axis", [0, 1, 4])
def test_networks_under_vmap_take_it_for_all_lanes_at_once(pool, axis):
    calls = []

    def counted(images, window):
        calls.append((images.shape[0], window))
        return pool(images, window)

    images = images_in((0, 1, 2, 3, 4), (2, 2), "random").movedim(0, axis).requires_grad_()

    def results():
        outputs = vmap(torch.nn.MaxPool2d(2), in_dims=axis)(images)
        (first,) = torch.autograd.grad(outputs.sin().sum(), images, create_graph=True)
        return [outputs, first, *torch.autograd.grad(first.square().sum(), images)]

    reference = results()
    with max_pools(counted, lanes=True):
        taken = results()
    assert calls == [(LANES, (2, 2))]
    assert all(map(torch.equal, taken, reference))


@pytest.mark.parametrize("left_over", [(0, 0), (1, 1)])
def test_images_that_all_lanes_share_are_pooled_once_with_all_derivatives(left_over):
    images = images_in((0, 1, 2, 3), (2, 2), "random", left_over=left_over).requires_grad_()

    def function(images):
        with max_pools(by_masks, lanes=True):
            factors = torch.arange(1.0, 3.0, dtype=torch.float64)
            return vmap(lambda factor: factor * functional.max_pool2d(images, 2).square())(factors)

    assert torch.equal(function(images)[1], 2 * functional.max_pool2d(images, 2).square())
    assert torch.autograd.gradcheck(function, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, images, fast_mode=True)


TAKEN = {
    "as a layer": torch.nn.MaxPool2d(2),
    "with its stride": lambda x: functional.max_pool2d(x, (2, 2), (2, 2)),
    "with the stride that means the window's": lambda x: torch.max_pool2d(x, [2, 2], []),
    "rounded up": lambda x: functional.max_pool2d(x, 2, ceil_mode=True),
    "two sides": lambda x: functional.max_pool2d(x, (3, 2)),
    "rows left over": lambda x: functional.max_pool2d(x, (4, 2)),
    "columns left over": lambda x: functional.max_pool2d(x, (2, 3)),
}
LEFT = {
    "rows rounded up": lambda x: functional.max_pool2d(x, (4, 2), ceil_mode=True),
    "overlapping": lambda x: functional.max_pool2d(x, 2, 1),
    "apart": lambda x: functional.max_pool2d(x, 2, (2, 4)),
    "padded": lambda x: functional.max_pool2d(x, 2, padding=1),
    "dilated": lambda x: functional.max_pool2d(x, 2, dilation=2),
    "with indices": lambda x: functional.max_pool2d(x, 2, return_indices=True)[0],
    "without a batch": lambda x: functional.max_pool2d(x[0], 2),
    "whole numbers": lambda x: functional.max_pool2d((8 * x).int(), 2).float(),
    "a mean": lambda x: functional.avg_pool2d(x, 2),
}


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize(("name", "function"), [*TAKEN.items(), *LEFT.items()])
def test_windows_that_lie_side_by_side_are_taken_and_others_are_left(name, function, lanes):
    calls = []

    def pool(images, window):
        calls.append(window)
        return of_torch(images, window)

    images = torch.randn(LANES, 2, 5, 6, 4, generator=torch.Generator().manual_seed(0))
    with max_pools(pool, lanes=lanes):
        outputs = vmap(function)(images) if lanes else torch.stack([function(of_lane) for of_lane in images])
    assert torch.equal(outputs, torch.stack([function(of_lane) for of_lane in images]))
    assert len(calls) == (name in TAKEN) * (1 if lanes else LANES)


@pytest.mark.parametrize(("model", "name"), [("lenet-4", "fob"), ("lenet-4", "dropout"), ("small-cnn", "hsfob")])
def test_training_is_the_same_in_lanes_and_alone(random_images, monkeypatch, model, name):
    """Penalties differentiate through the pooling twice; small-cnn has one that leaves a row over.

    In a single run the gradients of a penalty are sums over several paths, whose order is autograd's.
    """
    rounding = {"lanes": 0.0, "alone": 0.0 if name == "dropout" else 1e-15}
    dataset = random_images(33, 6, 20)
    training = TrainingSettings(epochs=1, batch_size=11, learning_rate=0.02)
    params = {"strength": 0.01} if name != "dropout" else {}
    runs = [Run("tiny", model, name, params, training, seed=seed) for seed in (0, 1)]

    def trained():
        lanes = LaneEngine(runs, dataset=dataset, dtype=torch.float64)
        alone = SerialEngine(runs[0], dataset=dataset, dtype=torch.float64)
        lanes.train_epoch()
        alone.train_epoch()
        return [lanes.state(0)["model"], lanes.state(1)["model"], alone.state()["model"]]

    reference = trained()
    for way, pool in ANYWHERE.items():
        calls = []

        def counted(images, window, pool=pool, calls=calls):
            calls.append(images.ndim)
            return pool(images, window)

        for module in (networks, serial_engine):
            monkeypatch.setattr(module, "pool_for", lambda device, counted=counted: counted)
        for kind, state, other in zip(("lanes", "lanes", "alone"), trained(), reference, strict=True):
            far = {key: float((value - other[key]).abs().max()) for key, value in state.items()}
            assert max(far.values()) <= rounding[kind], way
        assert {4, 5} == set(calls)


# Which way is taken


@pytest.fixture
def device(monkeypatch):
    """The CPU in place of a device that can be measured: the layers that are, and whether it is capturing."""

    class Device:
        capturing = False

    def made_up(layer, device, clock):
        Device.measured.append(layer)
        return [Measured(name, 1.0 if name == "masks" else 2.0) for name in POOLS]

    Device.measured = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: Device.capturing)
    monkeypatch.setattr(max_pool, "measure", made_up)
    monkeypatch.setattr(max_pool, "_CHOSEN", {})
    return Device


def test_a_kind_of_layer_is_measured_once(device):
    for lanes in (8, 7, 5):
        assert torch.equal(max_pool.chosen_pool(torch.ones(lanes, 2, 3, 4, 4), (2, 2)), torch.ones(lanes, 2, 3, 2, 2))
    assert [layer.images[0] for layer in device.measured] == [8]
    for other in (torch.ones(4, 2, 3, 4, 4), torch.ones(2, 8, 3, 4, 4).transpose(0, 1), torch.ones(2, 3, 4, 4)):
        max_pool.chosen_pool(other, (2, 2))
    max_pool.chosen_pool(torch.ones(2, 3, 4, 4, requires_grad=True), (2, 2))
    assert len(device.measured) == 5
    assert set(max_pool._CHOSEN.values()) == {"masks"}


def test_nothing_is_measured_or_remembered_while_a_graph_is_captured(device):
    device.capturing = True
    max_pool.chosen_pool(torch.ones(2, 3, 4, 4), (2, 2))
    assert device.measured == []
    assert max_pool._CHOSEN == {}


def test_a_step_measures_the_layers_that_it_meets(random_images, monkeypatch):
    """In the middle of a forward pass, under vmap too, as on a GPU; the graph of the clock is left out."""
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(max_pool, "_CHOSEN", {})
    monkeypatch.setattr(max_pool, "POOLS", ANYWHERE)
    monkeypatch.setattr(max_pool, "replay_milliseconds", lambda device: lambda run: 1.0 if run() else 2.0)
    monkeypatch.setattr(fastest, "fastest", lambda measured: measured[-1].name if not measured[-1].refused else "")
    for module in (networks, serial_engine):
        monkeypatch.setattr(module, "pool_for", lambda device: max_pool.chosen_pool)
    training = TrainingSettings(epochs=1, batch_size=18)
    runs = [Run("tiny", "small-cnn", "l1", {}, training, seed=seed) for seed in (0, 1)]
    dataset = random_images(40, 6, 18)
    LaneEngine(runs, dataset=dataset).train_epoch()
    SerialEngine(runs[0], dataset=dataset).train_epoch()
    assert set(max_pool._CHOSEN.values()) == {"masks"}
    trained = [layer.images for layer, _ in max_pool._CHOSEN if layer.gradient and layer.images[-4] == 18]
    assert trained == [(2, 18, 32, 16, 16), (2, 18, 64, 6, 6), (18, 32, 16, 16), (18, 64, 6, 6)]
    assert any(not layer.gradient for layer, _ in max_pool._CHOSEN), "validation"


def test_a_cpu_leaves_it_to_torch(random_images, device):
    runs = [Run("tiny", "small-cnn", "l1", {}, TrainingSettings(epochs=1, batch_size=16), seed=s) for s in (0, 1)]
    LaneEngine(runs, dataset=random_images(40, 6, 18)).train_epoch()
    assert pool_for(CPU) is None
    assert device.measured == []


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("gradient", [False, True])
def test_what_is_measured_are_images_of_the_layer_and_their_gradient_where_it_is_asked_for(
    order, gradient, monkeypatch
):
    layers, timed, before = [], [], torch.get_rng_state()

    def seen(images, window):
        layers.append(layer_of(images, window))
        return of_torch(images, window)

    def clock(run):
        timed.append(len(run()))
        return 1.0

    monkeypatch.setattr(max_pool, "POOLS", {**ANYWHERE, "seen": seen})
    sizes = (LANES, 4, 5, 6, 4)[5 - len(order) :]
    layer = Layer(sizes, order, (3, 2), torch.bfloat16, gradient)
    assert [one.refused for one in measure(layer, CPU, clock)] == [""] * 4
    assert layers == [layer] * 2
    assert timed == [1 + gradient] * 4
    assert torch.equal(before, torch.get_rng_state())


def test_a_way_that_gives_other_values_or_gradients_is_refused(monkeypatch):
    def last_of_ties(images, window):
        return of_torch(images.flip(-1, -2), window).flip(-1, -2)

    def another_value(images, window):
        return of_torch(images, window) * (1 + 1e-6)

    others = {function.__name__: function for function in (last_of_ties, another_value)}
    monkeypatch.setattr(max_pool, "POOLS", {**ANYWHERE, **others})
    layer = Layer((8, 8, 32, 32), (0, 1, 2, 3), (2, 2), torch.bfloat16)  # of 8 digits, so that there are ties
    refused = {one.name for one in measure(layer, CPU, lambda run: 1.0) if one.refused}
    assert refused == {"last_of_ties"}
    refused = {one.name for one in measure(layer._replace(dtype=torch.float32), CPU, lambda run: 1.0) if one.refused}
    assert refused == {"another_value"}


@pytest.mark.cuda
@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_way_is_measured_on_the_device_and_none_differs(order, dtype):
    device = torch.device("cuda")
    for gradient in (False, True):
        layer = Layer((LANES, 16, 20, 24, 24)[5 - len(order) :], order, (2, 2), dtype, gradient)
        measured = measure(layer, device, max_pool.replay_milliseconds(device))
        assert {one.name: one.refused for one in measured if one.refused} == {}
        assert all(0 < one.milliseconds < 1000 for one in measured)


@pytest.mark.cuda
def test_lanes_and_single_runs_train_on_the_device_with_chosen_pools_in_a_graph(random_images, recwarn, monkeypatch):
    monkeypatch.setattr(max_pool, "_CHOSEN", {})
    training = TrainingSettings(epochs=1, batch_size=8, learning_rate=0.01)
    runs = [Run("tiny", "lenet-4", "fob", {"strength": 0.01}, training, seed=s) for s in (0, 1)]
    dataset = random_images(80, 16, 20)
    losses = {}
    for device in ("cuda", "cpu"):
        rows = LaneEngine(runs, dataset=dataset, device=device).train_epoch()
        alone = [SerialEngine(run, dataset=dataset, device=device).train_epoch() for run in runs]
        losses[device] = [row["train_loss"] for row in (*rows.values(), *alone)]
    assert {len(layer.images) for layer, _ in max_pool._CHOSEN} == {4, 5}
    assert not [warning for warning in recwarn if "CUDA graph" in str(warning.message)]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.02)

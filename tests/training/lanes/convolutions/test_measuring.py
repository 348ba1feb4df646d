"""Which formulation a layer gets, with made-up times; on a device, with measured ones."""

from functools import partial

import pytest
import torch

from tune_reg.training import LaneEngine, Run, TrainingSettings
from tune_reg.training.fastest import Measured, fastest, replay_milliseconds
from tune_reg.training.lanes import networks
from tune_reg.training.lanes.convolutions import (
    FORMULATIONS,
    Geometry,
    Layer,
    candidates,
    choices,
    convolution_for,
    measure,
)
from tune_reg.training.lanes.convolutions.grouped import grouped
from tune_reg.training.lanes.convolutions.layer import layer_of
from tune_reg.training.precision import products

CPU = torch.device("cpu")
LAYER = Layer(2, (3, 2, 5, 6), (4, 2, 3, 3), Geometry(), torch.float32, biased=True)


@pytest.mark.parametrize(
    ("milliseconds", "name"),
    [
        ({"first": 1.0, "second": 0.5, "third": 0.6}, "second"),
        ({"first": 1.0, "second": 0.96}, "first"),
        ({"first": 1.0, "second": 0.94}, "second"),
        ({"first": 1.0, "second": 2.0}, "first"),
        ({"first": 1.0}, "first"),
        ({"first": float("inf"), "second": 5.0}, "second"),
    ],
)
def test_the_fastest_is_taken_where_it_is_faster_by_more_than_chance(milliseconds, name):
    assert fastest([Measured(*one) for one in milliseconds.items()]) == name


def test_what_was_refused_is_never_taken():
    assert fastest([Measured("first", 1.0), Measured("second", 0.1, "differs"), Measured("third", 0.5)]) == "third"
    assert fastest([Measured("first", refused="no memory"), Measured("second", refused="no memory")]) == "first"


@pytest.fixture
def faults(monkeypatch):
    """Formulations with faults, beside the good ones."""

    def forward_wrong(inputs, weights, bias, geometry):
        return grouped(inputs, weights, bias, geometry) * 1.01

    def backward_wrong(inputs, weights, bias, geometry):
        return grouped(inputs.detach(), weights, bias, geometry) + 0 * inputs.sum()

    def fails(inputs, weights, bias, geometry):
        raise RuntimeError("out of registers")

    def not_a_number(inputs, weights, bias, geometry):
        return grouped(inputs, weights, bias, geometry) * float("nan")

    functions = [forward_wrong, backward_wrong, fails, not_a_number]
    for function in functions:
        monkeypatch.setitem(FORMULATIONS, function.__name__, function)
    return [function.__name__ for function in functions]


def test_what_fails_or_computes_something_else_is_refused(faults):
    with products("tf32"):  # the widest tolerance of float32
        measured = measure(LAYER, ["grouped", "im2col", *faults], CPU, lambda run: 2.0)
    assert measured[:2] == [Measured("grouped", 2.0), Measured("im2col", 2.0)]
    refused = {one.name: one.refused for one in measured if one.refused}
    assert list(refused) == faults
    assert "out of registers" in refused["fails"]


def test_a_formulation_that_the_clock_cannot_run_is_refused():
    def clock(run):
        raise RuntimeError("not permitted while the stream is capturing")

    assert [one.refused for one in measure(LAYER, ["grouped"], CPU, clock)] == [
        "not permitted while the stream is capturing"
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_all_formulations_agree_within_the_rounding_of_the_dtype(dtype, shared, twice):
    layer = LAYER._replace(dtype=dtype, shared=shared, twice=twice)
    names = ["grouped", "grouped channels_last", "im2col"]
    with products("float32"):
        assert [one.refused for one in measure(layer, names, CPU, lambda run: 1.0)] == ["", "", ""]


@pytest.mark.parametrize("image_gradient", [False, True])
@pytest.mark.parametrize("weight_gradient", [False, True])
def test_what_is_timed_are_the_outputs_and_the_gradients_that_are_asked_for(image_gradient, weight_gradient):
    timed = []

    def clock(run):
        timed.append(len(run()))
        return 1.0

    layer = LAYER._replace(image_gradient=image_gradient, weight_gradient=weight_gradient)
    measure(layer, ["grouped"], CPU, clock)
    assert timed == [1 + image_gradient + 2 * weight_gradient]


def test_where_a_penalty_differentiates_it_once_more_the_gradient_of_the_images_is_a_result_too(monkeypatch):
    """A formulation whose first gradient is right, and whose second one is not, is refused."""

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, gradient):
            return gradient.clone()

        @staticmethod
        def backward(ctx, gradient):
            return 1.1 * gradient

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, images):
            return images.clone()

        @staticmethod
        def backward(ctx, gradient):
            return Twice.apply(gradient)

    def second_wrong(inputs, weights, bias, geometry):
        return grouped(Once.apply(inputs), weights, bias, geometry)

    monkeypatch.setitem(FORMULATIONS, "second wrong", second_wrong)
    for twice, refused in ((False, ""), (True, "its results differ")):
        layer = LAYER._replace(twice=twice)
        measured = measure(layer, ["grouped", "second wrong"], CPU, lambda run: float(len(run())))
        assert [one.refused for one in measured] == ["", refused]
        assert measured[0].milliseconds == 4 + twice


def test_measuring_leaves_the_random_numbers_of_the_process():
    before = torch.get_rng_state()
    measure(LAYER, ["grouped"], CPU, lambda run: 1.0)
    assert torch.equal(before, torch.get_rng_state())


def test_a_layer_is_read_from_its_tensors():
    inputs, weights, bias = (
        torch.zeros(2, 3, 2, 5, 6),
        torch.zeros(2, 4, 2, 3, 3, requires_grad=True),
        torch.zeros(2, 4),
    )
    assert layer_of(inputs, weights, bias, Geometry()) == LAYER._replace(image_gradient=False)
    assert layer_of(inputs[0], weights, None, Geometry()) == LAYER._replace(
        shared=True, biased=False, image_gradient=False
    )
    with torch.no_grad():
        evaluated = layer_of(inputs, weights, bias, Geometry())
    assert evaluated == LAYER._replace(image_gradient=False, weight_gradient=False)


@pytest.fixture
def device(monkeypatch):
    """The CPU in place of a device that can be measured: the layers that are, and whether it is capturing."""

    class Device:
        capturing = False

    def made_up(layer, names, device, clock):
        Device.measured.append(layer)
        return [Measured(name, 1.0 if name == "im2col" else 2.0) for name in names]

    Device.measured = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: Device.capturing)
    monkeypatch.setattr(choices, "_memory", lambda device: 2**34)
    monkeypatch.setattr(choices, "measure", made_up)
    monkeypatch.setattr(choices, "_CHOSEN", {})
    return Device


def tensors(lanes, batch=3):
    return torch.ones(lanes, batch, 2, 5, 6), torch.ones(lanes, 4, 2, 3, 3), torch.ones(lanes, 4)


def test_a_kind_of_layer_is_measured_once(device):
    reference = grouped(*tensors(5), Geometry())
    for lanes in (8, 7, 5):
        outputs = choices.chosen_convolution(*tensors(lanes), Geometry())
        assert torch.allclose(outputs[:5], reference)
    assert [layer.lanes for layer in device.measured] == [8]
    choices.chosen_convolution(*tensors(4), Geometry())
    choices.chosen_convolution(*tensors(8, batch=2), Geometry())
    assert [(layer.lanes, layer.images[0]) for layer in device.measured] == [(8, 3), (4, 3), (8, 2)]
    assert set(choices._CHOSEN.values()) == {"im2col"}


def test_nothing_is_measured_or_remembered_while_a_graph_is_captured(device):
    device.capturing = True
    choices.chosen_convolution(*tensors(2), Geometry())
    assert device.measured == []
    assert choices._CHOSEN == {}
    device.capturing = False
    choices.chosen_convolution(*tensors(2), Geometry())
    device.capturing = True
    choices.chosen_convolution(*tensors(2), Geometry())
    assert len(device.measured) == 1


@pytest.mark.parametrize(("regularizer", "twice"), [("l1", False), ("db", True)])
def test_a_step_of_lanes_measures_the_layers_that_it_meets(random_images, device, monkeypatch, regularizer, twice):
    """In the middle of a forward pass under vmap, as on a GPU; the graph of the clock is left out."""
    names = ["grouped", "grouped channels_last", "im2col"]

    def timed(layer, _, device, clock):
        measured = measure(layer, names, device, lambda run: 1.0 if run() else 2.0)
        assert [one.refused for one in measured] == ["", "", ""]
        device_layers.append(layer)
        return [one._replace(milliseconds=number) for number, one in zip((3, 2, 1), measured, strict=True)]

    device_layers = []
    monkeypatch.setattr(choices, "measure", timed)
    training = TrainingSettings(epochs=1, batch_size=18)
    runs = [Run("tiny", "small-cnn", regularizer, {}, training, seed=s) for s in (0, 1)]
    dataset = random_images(40, 6, 18)
    reference = LaneEngine(runs, dataset=dataset).train_epoch()
    monkeypatch.setattr(networks, "convolution_for", lambda _, **asked: partial(choices.chosen_convolution, **asked))
    row = LaneEngine(runs, dataset=dataset).train_epoch()
    assert set(choices._CHOSEN.values()) == {"im2col"}
    trained = [layer for layer in device_layers if layer.weight_gradient and layer.images[0] == 18]
    assert [(layer.images[1], layer.image_gradient) for layer in trained] == [(1, twice), (32, True), (64, True)]
    assert [layer.twice for layer in trained] == [twice] * 3
    assert any(not layer.weight_gradient for layer in device_layers), "validation"
    for lane in (0, 1):
        assert row[lane]["train_loss"] == pytest.approx(reference[lane]["train_loss"], rel=1e-4)


def test_lanes_on_a_cpu_leave_convolutions_to_vmap(random_images, device):
    runs = [Run("tiny", "small-cnn", "l1", {}, TrainingSettings(epochs=1, batch_size=16), seed=s) for s in (0, 1)]
    LaneEngine(runs, dataset=random_images(40, 6, 18)).train_epoch()
    assert convolution_for(CPU) is None
    assert device.measured == []


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_candidate_is_measured_on_the_device_and_none_differs(dtype):
    device = torch.device("cuda")
    layer = Layer(4, (16, 3, 12, 11), (20, 3, 5, 3), Geometry((1, 2), (2, 1)), dtype, biased=True)
    for image_gradient in (False, True):
        kind = layer._replace(image_gradient=image_gradient)
        measured = measure(kind, candidates(kind, 2**34), device, replay_milliseconds(device))
        assert {one.name: one.refused for one in measured if one.refused} == {}
        assert all(0 < one.milliseconds < 1000 for one in measured)


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_lanes_on_the_device_train_with_chosen_convolutions_in_a_graph(precision, random_images, recwarn, monkeypatch):
    monkeypatch.setattr(choices, "_CHOSEN", {})
    training = TrainingSettings(epochs=1, batch_size=8, learning_rate=0.01, precision=precision)
    runs = [Run("tiny", "small-cnn", "fob", {"strength": 0.01}, training, seed=s) for s in (0, 1)]
    dataset = random_images(80, 16, 18)
    engines = [LaneEngine(runs, dataset=dataset, device=device) for device in ("cuda", "cpu")]
    rows = [engine.train_epoch() for engine in engines]
    assert choices._CHOSEN
    assert not [warning for warning in recwarn if "CUDA graph" in str(warning.message)]
    for lane in (0, 1):
        on_device, on_cpu = (row[lane]["train_loss"] for row in rows)
        assert on_device == pytest.approx(on_cpu, rel=0.02)

"""What a step of lanes may not do if a GPU is to replay it: ask the device for a value, or read tensors of the host.

On the device "meta" there are shapes and no values, so that asking for one is an error there, as in the capture of a
CUDA graph.
"""

import functools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tune_reg.data import Dataset
from tune_reg.regularizers import regularizer, regularizers
from tune_reg.training import LaneEngine, Run, TrainingSettings

#: The first weights go nowhere, as they should.
pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")

RESNET = "resnet-8-keras"
COMBINED = ("adadecay+dropout", "label-smoothing+noise-injection+l1", "fob+confidence-penalty+hsfob-db2")


class OnDevice(TorchDispatchMode):
    """Raises where an operation takes or makes a tensor of the host. Single numbers may be constants."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "cpu" and tensor.ndim:
                raise RuntimeError(f"{func} touches the host")
        return result


@functools.cache
def images():
    drawn = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (60, 18, 18, 1), dtype=torch.uint8, generator=drawn)
    return Dataset("tiny", pixels, torch.arange(60) % 10, pixels[:20], torch.arange(20) % 10, classes=10)


def lanes(name, model="nn-2-small", **training):
    settings = {"epochs": 3, "batch_size": 16, **training}
    runs = [Run("tiny", model, name, {}, TrainingSettings(**settings), seed=seed) for seed in range(2)]
    return LaneEngine(runs, dataset=images(), device="meta")


def check_steps(engine):
    """Every size of batch of an epoch, and of its validation, step by step."""
    active, lane_plans = [0, 1], [lane.plan for lane in engine.lanes]
    program = engine._program_for(active)
    inputs, scores = program.inputs, program.scores
    settings, orders = [plan.epoch_settings(0) for plan in lane_plans], [plan.order(0) for plan in lane_plans]
    inputs.begin([(plan, 0) for plan in lane_plans], settings, orders)
    inputs.draw(0)
    assert len(set(inputs.sizes)) == 2
    with OnDevice():
        for size in sorted(set(inputs.sizes)):
            program.step(size)
        for size in sorted(set(scores.sizes)):
            scores(size)


@pytest.mark.parametrize("name", [*regularizers(), *COMBINED])
def test_no_step_touches_the_host(name):
    check_steps(lanes(name, augment="crop-flip"))


@pytest.mark.parametrize(("name", "model"), [("adadecay+dropout", "lenet-4"), ("db", "small-cnn"), ("fob", RESNET)])
def test_no_step_of_another_model_does(name, model):
    check_steps(lanes(name, model))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lenet-4", "small-cnn", RESNET])
@pytest.mark.parametrize("name", [*regularizers(), *COMBINED])
def test_no_step_of_any_other_model_does(name, model):
    if "dropout" in name and model != "lenet-4":
        pytest.skip("the model has no dropout layers")
    check_steps(lanes(name, model))


@pytest.mark.parametrize("training", [{"loss": "mse"}, {"precision": "bfloat16"}])
def test_neither_do_other_settings(training):
    check_steps(lanes("label-smoothing", RESNET, **training))


@pytest.mark.parametrize("estimator", ["exact", "probe"])
def test_neither_do_penalties_in_bfloat16(estimator):
    kind = regularizer("hsfob")
    training = TrainingSettings(epochs=3, batch_size=16, precision="bfloat16")
    runs = [Run("tiny", "lenet-4", kind.name, {"estimator": estimator}, training, seed=seed) for seed in range(2)]
    check_steps(LaneEngine(runs, dataset=images(), device="meta"))


def asks_for_a_number(gradient):
    return gradient * float(gradient.sum())


def looks_for_a_condition(gradient):
    return gradient if gradient.sum() > 0 else -gradient


def takes_what_is_not_zero(gradient):
    return gradient.index_fill(0, gradient.nonzero()[:, 0], 0)


def goes_by_way_of_the_host(gradient):
    return gradient + torch.zeros(gradient.shape).to(gradient.device)


@pytest.mark.parametrize(
    ("breach", "reason"),
    [
        (asks_for_a_number, "item"),
        (looks_for_a_condition, "item|bool"),
        (takes_what_is_not_zero, "nonzero"),
        (goes_by_way_of_the_host, "touches the host"),
    ],
)
def test_a_step_that_touches_the_host_is_seen(breach, reason, monkeypatch):
    engine = lanes("l1")
    check_steps(engine)
    engine = lanes("l1")
    program = engine._program_for([0, 1])
    monkeypatch.setattr(program.step, "_sgd", breach)
    with pytest.raises(Exception, match=reason):
        check_steps(engine)

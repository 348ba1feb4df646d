"""A step of lanes neither asks the device for a value nor reads tensors of the host, so that a GPU can replay it.

Tensors on the device "meta" have shapes and no values, so that asking for a value is an error, as in the capture of a
CUDA graph.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tune_reg.optimizers import OPTIMIZERS
from tune_reg.regularizers import regularizers
from tune_reg.training import LaneEngine, Run, TrainingSettings

#: On the device "meta" no weights are copied, of which torch warns.
pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")

RESNET = "resnet-8-keras"
COMBINED = (
    "adadecay+dropout",
    "sam+mixup+adaptive-weight-decay+constrained-parameters",
    "label-smoothing+noise-injection+l1",
    "fob+confidence-penalty+hsfob-db2",
)


class OnDevice(TorchDispatchMode):
    """Raises where an operation takes or makes a tensor on the host, apart from single numbers, which are constants."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "cpu" and tensor.ndim:
                raise RuntimeError(f"{func} touches the host")
        return result


@pytest.fixture(scope="module")
def lanes(random_images):
    """A function that makes two lanes on the device "meta"."""

    def made(name, model="nn-2-small", params=None, **training):
        settings = TrainingSettings(**{"epochs": 3, "batch_size": 16, **training})
        runs = [Run("tiny", model, name, params or {}, settings, seed=seed) for seed in range(2)]
        return LaneEngine(runs, dataset=random_images(60, 20, 18), device="meta")

    return made


def check_steps(engine):
    """Run a step of each batch size of an epoch, and of its validation."""
    active, lane_plans = [0, 1], [lane.plan for lane in engine.lanes]
    program = engine._program_for(active)
    inputs, scores = program.inputs, program.scores
    settings, orders = [plan.epoch_settings(0) for plan in lane_plans], [plan.order(0) for plan in lane_plans]
    inputs.begin([(plan, 0) for plan in lane_plans], settings, orders)
    inputs.draw(0)
    assert len(set(inputs.steps)) == 2
    with OnDevice():
        for batches in sorted(set(inputs.steps)):
            program.step(batches)
        for size in sorted(set(scores.sizes)):
            scores(size)


@pytest.mark.parametrize("name", [*regularizers(), *COMBINED])
def test_no_step_touches_the_host(lanes, name):
    check_steps(lanes(name, augment="crop-flip"))


@pytest.mark.parametrize(("name", "model"), [("adadecay+dropout", "lenet-4"), ("db", "small-cnn"), ("fob", RESNET)])
def test_no_step_of_another_model_touches_the_host(lanes, name, model):
    check_steps(lanes(name, model))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lenet-4", "small-cnn", RESNET])
@pytest.mark.parametrize("name", [*regularizers(), *COMBINED])
def test_no_step_of_any_other_model_touches_the_host(lanes, name, model):
    if "dropout" in name and model != "lenet-4":
        pytest.skip("the model has no dropout layers")
    check_steps(lanes(name, model))


@pytest.mark.parametrize("training", [{"loss": "mse"}, {"precision": "bfloat16"}])
def test_no_step_of_other_settings_touches_the_host(lanes, training):
    check_steps(lanes("label-smoothing", RESNET, **training))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_step_of_any_optimizer_touches_the_host(lanes, optimizer):
    check_steps(lanes("adaptive-weight-decay+constrained-parameters", optimizer=optimizer, batch_size=8))


@pytest.mark.parametrize("estimator", ["exact", "probe"])
def test_no_penalty_in_bfloat16_touches_the_host(lanes, estimator):
    check_steps(lanes("hsfob", "lenet-4", {"estimator": estimator}, precision="bfloat16"))


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
def test_a_step_that_touches_the_host_is_detected(lanes, breach, reason, monkeypatch):
    engine = lanes("l1")
    check_steps(engine)
    engine = lanes("l1")
    program = engine._program_for([0, 1])
    monkeypatch.setattr(program.step, "_update", lambda gradients, kept: breach(gradients[0]))
    with pytest.raises(Exception, match=reason):
        check_steps(engine)

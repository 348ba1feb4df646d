"""The steps of a single run that are captured and replayed give what eager steps give.

A stand-in takes the place of a GPU's graphs, as in test_cuda_graphs.py. Where torch's optimizers add weight decay and
take the learning rate in another order of operations than the eager step, float32 rounds otherwise.
"""

import copy
import random
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.training.lanes.test_step import OnDevice
from tests.training.test_cuda_graphs import CASES, Recorded, Refusing, run_of
from tune_reg.regularizers import regularizers
from tune_reg.training import SerialEngine
from tune_reg.training.serial_engine import Interrupted
from tune_reg.training.serial_inputs import TableInputs

#: How far weights of float32 may be apart after five epochs, as Adam divides by small numbers.
NEAR = 1e-5


@pytest.fixture(scope="module")
def pixels(random_images):
    return random_images(106, 20, 16)


@pytest.fixture
def engine_of(pixels, monkeypatch):
    """A function that makes an engine with given graphs."""

    def made(run, graphs, **keys):
        monkeypatch.setattr("tune_reg.training.serial_engine.graphs_for", lambda device: graphs)
        return SerialEngine(run, dataset=pixels, **keys)

    return made


def trained(engine, epochs=5):
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def assert_near(engine, other, near=NEAR):
    for key, value in other.state()["model"].items():
        assert torch.allclose(engine.state()["model"][key].cpu(), value.cpu(), rtol=0, atol=near), key
    for one, two in zip(engine.history, other.history, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-4)
        assert one["val_loss"] == pytest.approx(two["val_loss"], rel=1e-4)
        assert {**one, "train_loss": 0, "val_loss": 0, "wall_s": 0} == {
            **two,
            "train_loss": 0,
            "val_loss": 0,
            "wall_s": 0,
        }


@pytest.mark.parametrize(("name", "model", "choices"), CASES, ids=str)
def test_replayed_steps_equal_eager_ones(engine_of, name, model, choices, monkeypatch):
    run, graphs = run_of(name, 1, model=model, choices=choices), Recorded()
    engines = (engine_of(run, each, dtype=torch.float64) for each in (graphs, None))
    assert_near(*map(trained, engines), near=1e-8)
    assert graphs.captured == 3, "two sizes of batch in training, one in validation"
    assert graphs.replayed > 20


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "accelerated-sgd"])
def test_replayed_steps_of_an_optimizer_equal_eager_ones(engine_of, optimizer):
    run, graphs = run_of("adadecay", 1, optimizer=optimizer, learning_rate=0.003), Recorded()
    assert_near(trained(engine_of(run, graphs)), trained(engine_of(run, None)))
    assert graphs.replayed > 20


def test_replayed_steps_of_rmsprop_equal_eager_ones(engine_of):
    """At one learning rate: torch's RMSprop takes it from the device on a GPU alone."""
    keys = {"optimizer": "rmsprop", "learning_rate": 0.001, "learning_rate_schedule": "constant"}
    run, graphs = run_of("adadecay", 1, **keys), Recorded()
    assert_near(trained(engine_of(run, graphs)), trained(engine_of(run, None)))
    assert graphs.replayed > 20


ENTROPY_SGD = {"optimizer": "entropy-sgd", "learning_rate": 3.0, "batch_size": 8}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("adadecay", "nn-2-small"),
        ("dropout+noise-injection", "nn-2-small"),
        ("constrained-parameters", "nn-2-small"),
        ("sam", "lenet-4"),
    ],
)
def test_replayed_steps_of_entropy_sgd_equal_eager_ones(engine_of, name, model):
    """Noise of weights, of images and of dropout; a penalty by the weights before the step; two passes a batch."""
    run, graphs = run_of(name, 1, model=model, **{**ENTROPY_SGD, "epochs": 3}), Recorded()
    captured, eager = trained(engine_of(run, graphs), 3), trained(engine_of(run, None), 3)
    sizes = set(captured.plan.batch_sizes)
    assert sizes == {8}
    assert_near(captured, eager)
    assert graphs.replayed > 3
    for engine in (captured, eager):
        groups = engine.state()["optimizer"]["param_groups"]
        assert [(group["step"], type(group["step"])) for group in groups] == [(9, int)]


def test_a_parameter_without_part_in_the_loss_takes_no_noise_of_entropy_sgd(engine_of):
    run, graphs = run_of("weight-decay", 1, **ENTROPY_SGD), Recorded()
    engines = [engine_of(run, None), engine_of(run, graphs)]
    for engine in engines:
        unused = nn.Parameter(torch.ones(3))
        engine.model.unused = unused
        engine.parameters.insert(0, unused)
        engine.optimizer.param_groups[0]["params"].insert(0, unused)
        trained(engine)
        assert unused.equal(torch.ones(3))
    assert graphs.replayed
    assert_near(*engines)


def test_each_size_of_batch_of_a_schedule_has_its_graph(engine_of):
    run, graphs = run_of("noise-injection", 1, batch_size_schedule="cosine", epochs=3, batch_size=16), Recorded()
    whole = engine_of(run, None)
    assert len(set(whole.plan.batch_sizes)) > 1
    assert_near(trained(engine_of(run, graphs), 3), trained(whole, 3))
    assert graphs.replayed


@pytest.mark.parametrize("step", [0, 1])
def test_an_interrupted_run_of_entropy_sgd_goes_on_with_the_same_random_numbers(engine_of, step):
    run = run_of("noise-injection", 1, **ENTROPY_SGD)
    whole = trained(engine_of(run, None))
    first = engine_of(run, Recorded())
    first.train_epoch()
    answers = iter([False] * step + [True])
    with pytest.raises(Interrupted):
        first.train_epoch(leave=lambda: next(answers))
    assert first.step == 5 * step
    state = copy.deepcopy(first.state())
    for graphs in (Recorded(), None):
        second = engine_of(run, graphs)
        second.load_state(copy.deepcopy(state))
        assert_near(trained(second, 4), whole)
    assert_near(trained(first, 4), whole)


@pytest.mark.parametrize("step", [1, 4, 5])
def test_an_interrupted_run_goes_on_with_the_same_random_numbers(engine_of, step, monkeypatch):
    """Within a block of random numbers, at its beginning, and with the state taken to an engine without graphs."""
    monkeypatch.setattr("tune_reg.training.inputs.BLOCK", 4 * 16 * (256 * 4 + 24))  # four steps
    run = run_of("noise-injection", 1)
    whole = trained(engine_of(run, None))
    first = engine_of(run, Recorded())
    first.train_epoch()
    answers = iter([False] * step + [True])
    with pytest.raises(Interrupted):
        first.train_epoch(leave=lambda: next(answers))
    assert first._program.inputs.table.block == 4
    state = copy.deepcopy(first.state())
    for graphs in (Recorded(), None):
        second = engine_of(run, graphs)
        second.load_state(copy.deepcopy(state))
        assert second.step == step
        assert_near(trained(second, 4), whole)
    assert_near(trained(first, 4), whole)


def test_a_state_is_of_one_form_whatever_trained_it(engine_of):
    run = run_of("adadecay", 1, optimizer="adam")
    captured, eager = (trained(engine_of(run, graphs), 2).state()["optimizer"] for graphs in (Recorded(), None))
    for one, other in zip(captured["param_groups"], eager["param_groups"], strict=True):
        assert {key: type(value) for key, value in one.items()} == {key: type(value) for key, value in other.items()}
        assert one["capturable"] is False
    for i, of_parameter in eager["state"].items():
        assert captured["state"][i].keys() == of_parameter.keys()


def test_a_run_that_diverges_ends_at_the_same_epoch(engine_of):
    run = run_of("weight-decay", 0, learning_rate=1e5, epochs=20)
    engines = [engine_of(run, graphs) for graphs in (None, Recorded())]
    for engine in engines:
        while not engine.finished:
            engine.train_epoch()
    assert [engine.diverged for engine in engines] == [True, True]
    assert engines[0].epoch == engines[1].epoch < 20


def test_graphs_are_gone_when_the_run_is_over(engine_of):
    engine = trained(engine_of(run_of("weight-decay", 0), Recorded()), 4)
    assert engine._program is not None
    engine.train_epoch()
    assert engine.finished
    assert engine._program is engine._validation is None


def test_a_run_that_is_dropped_gives_its_memory_back_at_once(engine_of, without_collection):
    engine = trained(engine_of(run_of("weight-decay", 0), Recorded()), 3)
    dropped = weakref.ref(engine), weakref.ref(engine._program.inputs)
    del engine
    assert [reference() for reference in dropped] == [None, None]


class NoisyKernels(TorchDispatchMode):
    """Gradients of convolutions are off by about a rounding, as those of kernels that add in no fixed order."""

    def __init__(self):
        super().__init__()
        self.source = torch.Generator().manual_seed(0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if "convolution_backward" not in str(func):
            return result

        def noisy(part):
            return part * (1 + torch.finfo(part.dtype).eps * torch.randn(part.shape, generator=self.source))

        return tuple(None if part is None else noisy(part) for part in result)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_kernels_that_add_in_no_fixed_order_are_captured(engine_of, optimizer):
    """Before batch normalisation a bias has no gradient but rounding, which Adam makes as large as any other."""

    class Graphs(Recorded):
        def capture(self, step):
            self.captured += 1
            return step

    run = run_of("weight-decay", 1, model="resnet-8-keras", optimizer=optimizer, learning_rate=0.01)
    graphs = Graphs()
    with NoisyKernels():
        trained(engine_of(run, graphs))  # a warning is an error
    assert graphs.captured == 3


def test_without_a_graph_steps_are_eager_and_one_line_says_so(engine_of):
    run = run_of("adadecay", 1)
    fallen = engine_of(run, Refusing())
    with pytest.warns(RuntimeWarning, match=r"no CUDA graph of this step \(CUDA error") as caught:
        fallen.train_epoch()
    assert len(caught) == 1
    assert_near(fallen, trained(engine_of(run, None), 1))


class Drawing(nn.Module):
    """A network that multiplies its logits by a random number."""

    def __init__(self, network, draw):
        super().__init__()
        self.network, self.draw = network, draw

    def forward(self, inputs):
        return self.network(inputs) * (1 + self.draw() if self.training else 1)


@pytest.mark.parametrize("draw", [random.random, lambda: float(np.random.rand())])
def test_a_network_that_draws_on_the_host_runs_eagerly(engine_of, draw):
    run = run_of("weight-decay", 1)
    engines = [engine_of(run, graphs) for graphs in (None, Recorded())]
    for engine in engines:
        engine.model = Drawing(engine.model, draw)
    engines[0].train_epoch()
    with pytest.warns(RuntimeWarning, match="it draws random numbers on the host"):
        engines[1].train_epoch()
    assert_near(*engines)


def test_a_network_that_draws_on_the_device_is_captured(engine_of):
    run, graphs = run_of("weight-decay", 1), Recorded()
    engines = [engine_of(run, None), engine_of(run, graphs)]
    for engine in engines:
        engine.model = Drawing(engine.model, lambda: torch.rand(()))
        engine.train_epoch()
        engine.train_epoch()
    assert graphs.replayed
    assert_near(*engines)


# On a device without values, where asking for one is an error


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
@pytest.mark.parametrize("name", [*regularizers(), "adadecay+dropout", "sam+mixup+constrained-parameters"])
@pytest.mark.parametrize("model", ["nn-2-small", pytest.param("resnet-8-keras", marks=pytest.mark.slow)])
def test_no_step_touches_the_host(engine_of, name, model):
    keys = {"device": "meta", "dtype": torch.float32}
    engine = engine_of(run_of(name, 0, model=model, augment="crop-flip"), Recorded(), **keys)
    plan, network, hook = engine.plan, engine.model, engine._dropout
    keys = {"device": engine.device, "dtype": engine.dtype}
    inputs = TableInputs(plan, 0, engine.dataset, network, engine.parameters, hook, **keys)
    streams = {**plan.streams(0), "dropout": plan.dropout_stream(0)}
    inputs.begin(plan, 0, plan.epoch_settings(0), streams, {}, 0)
    inputs.prepare(0)
    engine._inputs, engine._masks, engine._weight_decay = inputs, inputs.masks, inputs.weight_decay
    engine.model.train()
    engine._step_of_optimizer = lambda: None  # torch's own: a fused kernel asks "meta" for nothing, and does nothing
    with OnDevice():
        for size in (16, 8):
            engine._step((size,))


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_no_step_of_entropy_sgd_touches_the_host(engine_of):
    engine = engine_of(run_of("noise-injection", 0, **ENTROPY_SGD), Recorded(), device="meta")
    engine._begin_epoch(engine.plan.epoch_settings(0))
    engine._inputs.prepare(0)
    engine.model.train()
    with OnDevice():
        engine._step((8,) * 5)


# On a GPU


def assert_captured_as_eager(pixels, run):
    """Steps that are replayed give what eager ones give; a warning is an error, so that one that falls back fails."""
    captured, eager = (SerialEngine(run, dataset=pixels, device="cuda", dtype=torch.float64) for _ in range(2))
    eager._graphs = None
    trained(captured, 4)
    assert any(size.replay for size in captured._program.step._sizes.values())
    # The learning rate on the device is of float32.
    assert_near(captured, trained(eager, 4), 1e-6)


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "model", "choices"), CASES, ids=str)
def test_cuda_graphs_of_a_single_run_give_what_eager_steps_give(pixels, name, model, choices):
    assert_captured_as_eager(pixels, run_of(name, 1, model=model, choices=choices))


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "rmsprop", "accelerated-sgd"])
def test_cuda_graphs_of_an_optimizer_give_what_eager_steps_give(pixels, optimizer):
    assert_captured_as_eager(pixels, run_of("weight-decay", 1, optimizer=optimizer, learning_rate=0.003))


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["noise-injection", "constrained-parameters"])
def test_cuda_graphs_of_entropy_sgd_give_what_eager_steps_give(pixels, name):
    assert_captured_as_eager(pixels, run_of(name, 1, **ENTROPY_SGD))


@pytest.mark.cuda
def test_a_captured_run_draws_from_the_generator_of_the_device(pixels):
    engine = SerialEngine(run_of("weight-decay", 1), dataset=pixels, device="cuda")
    other = SerialEngine(run_of("weight-decay", 1), dataset=pixels, device="cuda")
    other._graphs = None
    for one in (engine, other):
        one.model = Drawing(one.model, lambda: torch.rand((), device="cuda"))
        trained(one, 2)
    assert_near(engine, other, 1e-4)

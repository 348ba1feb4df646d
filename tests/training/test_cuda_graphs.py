"""Steps that are captured and replayed give what eager steps give.

Without a GPU something stands in for its graphs that keeps their two rules: capturing changes nothing, and a replay is
the same operations on the same memory, whatever has become of the Python objects around them.
"""

import dataclasses
import gc
import warnings
from contextlib import contextmanager, nullcontext, suppress
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tune_reg.optimizers import OPTIMIZERS
from tune_reg.regularizers import regularizer, regularizers
from tune_reg.training import LaneEngine, Run, TrainingSettings
from tune_reg.training.cuda_graphs import WARM_UP, CudaGraphs, Replayed, graphs_for


class Recorder(TorchDispatchMode):
    """Records every operation with its arguments and results, which keep their memory."""

    def __init__(self):
        super().__init__()
        self.operations = []
        self._made = set()
        self._before = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in tensors((args, kwargs)):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self._made:
                self._before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        result = func(*args, **(kwargs or {}))
        self._made |= {t.untyped_storage().data_ptr() for t in tensors(result)} - self._before.keys()
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def undo(self):
        for storage, before in self._before.values():
            storage.copy_(before)

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, result in self.operations:
            anew = func(*args, **kwargs)
            if not any(value.alias_info for value in func._schema.returns):
                for old, new in zip(tensors(result), tensors(anew), strict=True):
                    old.copy_(new)


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Recorded:
    """Stands in for ``CudaGraphs``: records the operations of a step, and repeats them."""

    def __init__(self, device=None):
        self.captured = self.replayed = 0

    def warm_up(self, step):
        step()

    def capture(self, step):
        recorder, numbers = Recorder(), self.random_state()
        with recorder:
            step()
        recorder.undo()
        self.set_random_state(numbers)
        self.captured += 1
        return lambda: self.again(recorder)

    def differentiable(self, function, sample):
        images = sample.detach().clone().requires_grad_()
        forward, backward = Recorder(), Recorder()
        with forward:
            outputs = function(images)
        weights = torch.zeros_like(outputs)
        with backward:
            (gradient,) = torch.autograd.grad(outputs, images, weights)
        self.captured += 1

        class Again(torch.autograd.Function):
            @staticmethod
            def forward(ctx, inputs):
                images.detach().copy_(inputs)
                self.again(forward)
                return outputs.detach()

            @staticmethod
            def backward(ctx, given):
                weights.copy_(given)
                backward.replay()
                return gradient.detach()  # the memory of each call, as torch returns it

        return Again.apply

    def random_state(self):
        return torch.get_rng_state()

    def set_random_state(self, state):
        torch.set_rng_state(state)

    def again(self, recorder):
        self.replayed += 1
        recorder.replay()


class Refusing(Recorded):
    """Fails to capture, like a step with an operation that is not permitted in a CUDA graph."""

    def capture(self, step):
        raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")


class Forgetful(Recorded):
    """Replays steps without the last write to the weights."""

    def again(self, recorder):
        writes = [i for i, operation in enumerate(recorder.operations) if "addcmul_" in str(operation[0])]
        del recorder.operations[writes[-1]]
        super().again(recorder)


@pytest.fixture(scope="module")
def pixels(random_images):
    return random_images(106, 20, 16)


def run_of(name, lane, *, model="nn-2-small", choices=None, split_seed=0, **training):
    params = {p.name: p.default * (1 + lane) / 2 for p in regularizer(name).hyperparameters if not p.is_choice}
    settings = {"epochs": 5, "batch_size": 16, "learning_rate": 0.02 * (1 + lane), "learning_rate_schedule": "cosine"}
    if model == "nn-2-small":
        settings["augment"] = "crop-flip"
    training = TrainingSettings(**{**settings, **training})
    return Run("tiny", model, name, {**params, **(choices or {})}, training, seed=lane, split_seed=split_seed)


def engine_of(pixels, runs, monkeypatch, graphs, **keys):
    monkeypatch.setattr("tune_reg.training.lanes.engine.graphs_for", lambda device: graphs)
    return LaneEngine(runs, dataset=pixels, **keys)


def assert_identical(engine, other):
    for lane, trained in enumerate(engine.lanes):
        one, two = engine.state(lane), other.state(lane)
        assert all(one["model"][key].equal(value) for key, value in two["model"].items())
        for i, state in two["optimizer"]["state"].items():
            assert all(one["optimizer"]["state"][i][name].equal(value) for name, value in state.items())
        history = [{**row, "wall_s": 0} for row in trained.history]
        assert history == [{**row, "wall_s": 0} for row in other.lanes[lane].history]


def go_through(engine):
    """Train epochs with all lanes, with one at rest, and with another run in the place of that one."""
    first = engine.lanes[0].run
    engine.train_epoch()
    engine.train_epoch()
    engine.rest(0)
    engine.train_epoch()
    engine.replace(0, dataclasses.replace(first, seed=7))
    engine.train_epoch()
    return engine


#: Regularizers whose steps read or write different tensors.
DIFFERENT_STEPS = (
    "adadecay-randomized",
    "hsfob",
    "noise-injection",
    "residual-smoothing",
    "sparse-gradients",
    "weight-decay",
)
CASES = [
    *(
        pytest.param(name, "nn-2-small", {}, marks=[] if name in DIFFERENT_STEPS else [pytest.mark.slow])
        for name in regularizers()
    ),
    ("adadecay+dropout", "lenet-4", {}),
    ("weight-decay", "resnet-8-keras", {}),
    ("fob", "small-cnn", {}),
    ("hsfob", "nn-2-small", {"estimator": "exact"}),
    ("fob+confidence-penalty+hsfob-db2", "nn-2-small", {"hsfob_db2_probes": 2}),
]


@pytest.mark.parametrize(("name", "model", "choices"), CASES, ids=str)
def test_replayed_steps_equal_eager_ones(pixels, name, model, choices, monkeypatch):
    runs = [run_of(name, lane, model=model, choices=choices) for lane in range(2)]
    eager = go_through(engine_of(pixels, runs, monkeypatch, None))
    graphs = Recorded()
    monkeypatch.setattr("tune_reg.training.cuda_graphs.WARM_UP", 1)
    replayed = go_through(engine_of(pixels, runs, monkeypatch, graphs))
    # Two sizes of batch in training, two in validation, of two lanes; then one size of one lane, and no new one of two.
    assert graphs.captured == 5
    assert graphs.replayed > 15
    assert_identical(replayed, eager)


def test_replayed_steps_equal_eager_ones_where_random_numbers_come_in_many_blocks(pixels, monkeypatch):
    runs = [run_of("noise-injection", lane) for lane in range(2)]
    whole = go_through(engine_of(pixels, runs, monkeypatch, None))
    monkeypatch.setattr("tune_reg.training.inputs.BLOCK", 3 * 2 * 16 * (256 * 4 + 24))  # three steps of two lanes
    graphs = Recorded()
    blocks = go_through(engine_of(pixels, runs, monkeypatch, graphs))
    (program,) = blocks._programs.values()
    assert program.inputs.block == 3
    assert len(program.inputs.steps) % 3 == 0
    assert graphs.replayed
    assert_identical(blocks, whole)


@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "sgd"])
def test_replayed_steps_of_every_optimizer_equal_eager_ones(pixels, optimizer, monkeypatch):
    runs = [run_of("adadecay", lane, optimizer=optimizer, batch_size=6) for lane in range(2)]
    eager = go_through(engine_of(pixels, runs, monkeypatch, None))
    graphs = Recorded()
    assert_identical(go_through(engine_of(pixels, runs, monkeypatch, graphs)), eager)
    assert graphs.replayed


def test_replayed_steps_equal_eager_ones_in_bfloat16(pixels, monkeypatch):
    runs = [run_of("adadecay", lane, precision="bfloat16") for lane in range(2)]
    eager = go_through(engine_of(pixels, runs, monkeypatch, None))
    graphs = Recorded()
    assert_identical(go_through(engine_of(pixels, runs, monkeypatch, graphs)), eager)
    assert graphs.replayed


def test_replayed_steps_equal_eager_ones_beside_a_lane_that_diverges(pixels, monkeypatch):
    runs = [run_of("adadecay", 0), run_of("adadecay", 1, learning_rate=1e30)]
    engines = [engine_of(pixels, runs, monkeypatch, graphs) for graphs in (None, Recorded())]
    for engine in engines:
        engine.train_epoch()
        assert [lane.diverged for lane in engine.lanes] == [False, True]
        engine.train_epoch()
        engine.replace(1, run_of("adadecay", 2))
        engine.train_epoch()
    assert engines[1]._graphs.replayed
    assert_identical(*engines)


def test_replayed_steps_equal_eager_ones_where_a_lane_gets_validation_images_of_its_own(pixels, monkeypatch):
    runs = [run_of("weight-decay", lane) for lane in range(2)]
    engines = [engine_of(pixels, runs, monkeypatch, graphs) for graphs in (None, Recorded())]
    for engine in engines:
        engine.train_epoch()
        engine.replace(1, run_of("weight-decay", 1, split_seed=5))
        engine.train_epoch()
        engine.train_epoch()
    assert_identical(*engines)


@pytest.mark.parametrize(
    ("graphs", "why"),
    [
        (Refusing, r"no CUDA graph of this step \(CUDA error: operation not permitted when stream is capturing\)"),
        (Forgetful, r"no CUDA graph of this step \(its replay differs from the step itself"),
    ],
)
def test_without_a_graph_steps_are_eager_and_one_line_says_so(pixels, graphs, why, monkeypatch):
    runs = [run_of("adadecay", lane) for lane in range(2)]
    eager = engine_of(pixels, runs, monkeypatch, None)
    fallen = engine_of(pixels, runs, monkeypatch, graphs())
    eager.train_epoch()
    with pytest.warns(RuntimeWarning, match=why) as caught:
        fallen.train_epoch()
    assert len(caught) == 1, "the steps of validation are too few to be captured here"
    assert "\n" not in str(caught[0].message)
    assert_identical(fallen, eager)
    eager.train_epoch()
    fallen._graphs = None
    fallen.train_epoch()
    assert_identical(fallen, eager)


def counting_step(graphs, factor=1.0):
    """A step that adds its size to a number, the number, and the list of the sizes that ran."""
    number = torch.zeros(1)
    done = []

    def step(size):
        done.append(size)
        number.add_(size * factor)

    return Replayed(step, [number], graphs), number, done


def test_the_first_steps_are_eager_then_one_is_captured_and_compared_once():
    graphs = Recorded()
    step, number, done = counting_step(graphs)
    for i in range(1, 11):
        step(2)
        assert float(number) == 2 * i, "each call is one step, however it is done"
    assert len(done) == WARM_UP + 2
    assert graphs.captured == 1
    step(1)
    assert float(number) == 21
    assert graphs.captured == 1, "another size is another graph"


def test_without_graphs_each_step_is_eager():
    step, number, done = counting_step(None)
    for _ in range(6):
        step(1)
    assert len(done) == float(number) == 6


def test_a_replay_that_is_not_a_number_is_not_taken_for_the_step():
    class Broken(Recorded):
        def again(self, recorder):
            super().again(recorder)
            recorder.operations[-1][1][0].fill_(float("nan"))

    step, number, _ = counting_step(Broken())
    for _ in range(WARM_UP):
        step(1)
    with pytest.warns(RuntimeWarning, match="differs"):
        step(1)
    assert float(number) == WARM_UP + 1
    step(1)
    assert float(number) == WARM_UP + 2


@pytest.fixture
def fake_cuda(monkeypatch):
    """Puts a CUDA in place whose captures end as ``fails`` says; the streams that were set, and the pools made."""
    fake = SimpleNamespace(fails=False, collects=[], streams=[], pools=0)

    @contextmanager
    def capturing(graph, pool, stream):
        fake.collects.append(gc.isenabled())
        yield
        if fake.fails:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def new_pool():
        fake.pools += 1
        return fake.pools

    for name, value in {
        "Stream": lambda device: "side",
        "graph_pool_handle": new_pool,
        "current_stream": lambda device: "before",
        "set_stream": fake.streams.append,
        "device": lambda device: nullcontext(),
        "graph": capturing,
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: None),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return fake


def test_a_capture_that_fails_gives_the_stream_back_and_leaves_its_pool(fake_cuda):
    graphs = CudaGraphs(torch.device("cuda"))
    graphs.capture(lambda: None)
    assert (fake_cuda.streams, fake_cuda.pools) == ([], 1)
    fake_cuda.fails = True
    with pytest.raises(RuntimeError, match="during capture"):
        graphs.capture(lambda: None)
    assert (fake_cuda.streams, fake_cuda.pools) == (["before"], 2)


def test_no_garbage_is_collected_during_a_capture(fake_cuda):
    """A graph that is freed meanwhile breaks it."""
    graphs = CudaGraphs(torch.device("cuda"))
    for fake_cuda.fails in (False, True):
        with suppress(RuntimeError):
            graphs.capture(lambda: None)
        assert gc.isenabled()
    assert fake_cuda.collects == [False, False]


def test_no_graphs_on_the_cpu():
    assert graphs_for(torch.device("cpu")) is None


# On a GPU


def has_replayed(engine):
    """Whether a step of the lanes' training is a graph."""
    return any(size.replay for program in engine._programs.values() for size in program.train._sizes.values())


def assert_as_on_the_cpu(on_gpu, on_cpu):
    for lane in range(2):
        of_lane, expected = on_gpu.state(lane)["model"], on_cpu.state(lane)["model"]
        for key, value in expected.items():
            assert torch.allclose(of_lane[key].cpu(), value, rtol=0, atol=1e-7), key


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "model", "choices"), CASES, ids=str)
def test_cuda_graphs_give_what_eager_steps_give(pixels, name, model, choices, monkeypatch):
    runs = [run_of(name, lane, model=model, choices=choices) for lane in range(2)]
    keys = {"device": "cuda", "dtype": torch.float64}
    eager = go_through(engine_of(pixels, runs, monkeypatch, None, **keys))
    graphs = CudaGraphs(torch.device("cuda"))
    replayed = go_through(engine_of(pixels, runs, monkeypatch, graphs, **keys))  # a warning is an error
    assert has_replayed(replayed)
    for lane in range(2):
        one, other = replayed.state(lane)["model"], eager.state(lane)["model"]
        for key, value in other.items():
            assert torch.allclose(one[key], value, rtol=0, atol=1e-7), key


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cuda_lanes_with_every_optimizer_equal_those_on_the_cpu(pixels, optimizer):
    runs = [run_of("adadecay", lane, optimizer=optimizer, learning_rate=1e-3, batch_size=6) for lane in range(2)]
    engines = [LaneEngine(runs, dataset=pixels, device=device, dtype=torch.float64) for device in ("cuda", "cpu")]
    for engine in engines:
        engine.train_epoch()
        engine.train_epoch()
    assert has_replayed(engines[0])
    assert_as_on_the_cpu(*engines)


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "model", "choices"), CASES, ids=str)
def test_cuda_lanes_equal_single_runs_on_the_cpu(pixels, name, model, choices):
    runs = [run_of(name, lane, model=model, choices=choices) for lane in range(2)]
    engines = [LaneEngine(runs, dataset=pixels, device=device, dtype=torch.float64) for device in ("cuda", "cpu")]
    for engine in engines:
        engine.train_epoch()
        engine.train_epoch()
    assert_as_on_the_cpu(*engines)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["constrained-parameters+adaptive-weight-decay", "dropout+noise-injection"])
def test_cuda_graphs_of_one_group_train_the_next(pixels, name):
    first, runs = ([run_of(name, lane) for lane in lanes] for lanes in ((0, 1), (2, 3)))
    again = LaneEngine(first, dataset=pixels, device="cuda", dtype=torch.float64)
    while not again.finished:
        again.train_epoch()
    (program,) = again._programs.values()
    graphs = [size.replay for size in program.train._sizes.values()]
    assert all(graphs)
    for lane, run in enumerate(runs):
        again.replace(lane, run)
    fresh = LaneEngine(runs, dataset=pixels, dtype=torch.float64)
    for engine in (again, fresh):
        engine.train_epoch()
        engine.train_epoch()
    assert list(again._programs.values()) == [program]
    assert [size.replay for size in program.train._sizes.values()] == graphs
    assert_as_on_the_cpu(again, fresh)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["weight-decay", "hsfob", "dropout"])
def test_cuda_lanes_whose_batch_sizes_have_schedules_equal_those_on_the_cpu(pixels, name):
    doubled, halved = ({"kind": "piecewise", "boundaries": [0.5], "values": values} for values in ([1, 2], [1, 0.5]))
    runs = [
        run_of(name, 0, batch_size=8, batch_size_schedule=doubled),
        run_of(name, 1, batch_size=16, batch_size_schedule=halved),
    ]
    engines = [LaneEngine(runs, dataset=pixels, device=device, dtype=torch.float64) for device in ("cuda", "cpu")]
    for engine in engines:
        while not engine.finished:
            engine.train_epoch()
    assert has_replayed(engines[0])
    assert_as_on_the_cpu(*engines)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["adadecay", "noise-injection", "hsfob", "dropout"])
def test_the_host_waits_for_nothing_within_an_epoch(pixels, name):
    engine = LaneEngine([run_of(name, lane) for lane in range(2)], dataset=pixels, device="cuda")
    engine.train_epoch()
    engine.train_epoch()
    program, lanes = engine._program_for([0, 1]), engine.lanes
    settings = [lane.plan.epoch_settings(lane.epoch) for lane in lanes]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        engine._train(program, [0, 1], settings)
        engine._validate(program, lanes)
    finally:
        torch.cuda.set_sync_debug_mode("default")

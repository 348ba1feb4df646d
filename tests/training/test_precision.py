"""Training in bfloat16: only products are, in both engines, and the state of a run stays float32."""

import math

import pytest
import torch
from torch import nn

from tune_reg import models
from tune_reg.errors import StudyError
from tune_reg.study import Study
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings, checkpoint
from tune_reg.training.precision import Bfloat16, products

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)

QUICK = ("nn-2-small", "lenet-4", "small-cnn", "vgg-9", "resnet-14", "resnet-8-keras")


def run_of(name="weight-decay", model="nn-2-small", seed=0, precision="bfloat16", **params):
    training = TrainingSettings(epochs=4, batch_size=32, learning_rate=0.05, precision=precision)
    return Run("tiny", model, name, params, training, seed=seed)


def trained(engine, epochs=4):
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def types(state):
    momenta = [of_parameter["momentum_buffer"] for of_parameter in state["optimizer"]["state"].values()]
    return {value.dtype for value in [*state["model"].values(), *momenta] if value.is_floating_point()}


@pytest.mark.parametrize("name", QUICK)
def test_a_forward_pass_is_that_of_autocast(name):
    """Outputs and batch statistics are equal bit for bit, apart from the order of sums in batch normalisation."""
    drawn = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    outputs, states = [], []
    for around in (torch.autocast("cpu", torch.bfloat16), Bfloat16()):
        network = models.build(name, image=(1, 8, 8), classes=10, mean=torch.zeros(1), std=torch.ones(1), seed=0)
        with around:
            outputs.append(network.train()(drawn))
        states.append(network.state_dict())
    assert outputs[0].dtype == torch.bfloat16
    near = 0.03 if any("running" in key for key in states[0]) else 0.0
    assert torch.allclose(*outputs, rtol=near, atol=near)
    for key, value in states[0].items():
        assert torch.allclose(states[1][key], value, rtol=near, atol=near / 10), key


def test_products_of_matrices_in_any_spelling_are_narrow_and_float64_stays():
    one, other = torch.rand(2, 3, 3), torch.rand(2, 3, 3)
    with Bfloat16():
        products = [
            one @ other,
            torch.matmul(one, other),
            one.matmul(other),
            torch.bmm(one, other),
            one[0].mm(other[0]),
        ]
        assert {product.dtype for product in products} == {torch.bfloat16}
        assert nn.functional.linear(one, bias=other[0, 0], weight=other[0]).dtype == torch.bfloat16
        assert (one + other).dtype == torch.float32
        assert (one.double() @ other.double()).dtype == torch.float64
    assert (one @ other).dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("adadecay", "nn-2-small"),
        ("residual-smoothing", "nn-2-small"),
        ("hsfob", "small-cnn"),
        ("l1", "resnet-8-keras"),
    ],
)
def test_a_run_learns_and_keeps_float32(tiny, name, model):
    run = run_of(name, model)
    single, lanes = trained(SerialEngine(run, dataset=tiny), 2), trained(LaneEngine([run], dataset=tiny), 2)
    for state in (single.state(), lanes.state(0)):
        assert types(state) == {torch.float32}
        losses = [row["train_loss"] for row in state["history"]]
        assert all(math.isfinite(loss) for loss in losses)
        assert losses[-1] < losses[0]


def test_it_is_not_the_training_in_float32_but_near(tiny):
    wide, narrow = (trained(SerialEngine(run_of(precision=p), dataset=tiny)) for p in ("float32", "bfloat16"))
    one, other = wide.history[-1], narrow.history[-1]
    assert one["train_loss"] != other["train_loss"]
    assert other["train_loss"] == pytest.approx(one["train_loss"], rel=0.05)
    assert other["val_accuracy"] == pytest.approx(one["val_accuracy"], abs=0.1)


@pytest.mark.parametrize("model", ["nn-2-small", "lenet-4"])
def test_lanes_are_near_single_runs_and_apart_from_each_other(tiny, model):
    """As near as other kernels round; float64 is tested in lanes/test_engine.py."""
    runs = [run_of("adadecay", model, seed=seed) for seed in range(3)]
    together, alone = (trained(LaneEngine(some, dataset=tiny), 1) for some in (runs, runs[2:]))
    single = trained(SerialEngine(runs[2], dataset=tiny), 1)
    for other in (alone.lanes[0].history, single.history):
        assert together.lanes[2].history[0]["train_loss"] == pytest.approx(other[0]["train_loss"], rel=0.02)


@pytest.mark.parametrize("engine", [SerialEngine, lambda run, **keys: LaneEngine([run], **keys)])
def test_a_resumed_run_is_the_uninterrupted_one(tiny, engine, tmp_path):
    def state(of):
        return of.state() if isinstance(of, SerialEngine) else of.state(0)

    def load(into, saved):
        into.load_state(saved) if isinstance(into, SerialEngine) else into.load_state(0, saved)

    run = run_of("adadecay+dropout")
    whole = trained(engine(run, dataset=tiny))
    half = trained(engine(run, dataset=tiny), 2)
    checkpoint.save(tmp_path, 2, state(half))
    resumed = engine(run, dataset=tiny)
    load(resumed, checkpoint.load_newest(tmp_path))
    trained(resumed, 2)
    assert all(value.equal(state(resumed)["model"][key]) for key, value in state(whole)["model"].items())


def test_validation_and_tests_are_in_float32(tiny):
    engine = trained(SerialEngine(run_of(), dataset=tiny), 1)
    images, labels = engine.batch("validation", torch.arange(engine.size("validation")))
    with torch.no_grad():
        loss = nn.functional.cross_entropy(engine.model.eval()(images), labels)
    assert engine.history[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-6)
    (lanes,) = LaneEngine([run_of()], dataset=tiny).evaluate("test")
    assert lanes == pytest.approx(SerialEngine(run_of(), dataset=tiny).evaluate("test"), rel=1e-6)


def flags():
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


class Watched(nn.Module):
    """A network that notes what float32 products may be rounded to, in training and in evaluation."""

    def __init__(self, network):
        super().__init__()
        self.network, self.seen = network, {True: set(), False: set()}

    def forward(self, inputs):
        self.seen[self.training] |= {flags()}
        return self.network(inputs)


@pytest.mark.parametrize(("precision", "rounded"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")])
@pytest.mark.parametrize("lanes", [False, True])
def test_tf32_is_taken_in_training_where_the_setting_says_so_and_nowhere_else(tiny, precision, rounded, lanes):
    before, run = flags(), run_of(precision=precision)
    if lanes:
        engine = LaneEngine([run], dataset=tiny)
        watched = engine._networks._network = Watched(engine._networks._network)
        engine._networks._names = [f"network.{name}" for name in engine._networks._names]
        engine._networks.stack.buffers = {f"network.{k}": v for k, v in engine._networks.stack.buffers.items()}
    else:
        engine = SerialEngine(run, dataset=tiny)
        watched = engine.model = Watched(engine.model)
    engine.train_epoch()
    engine.evaluate("test")
    assert watched.seen == {True: {(rounded, rounded)}, False: {("ieee", "ieee")}}
    assert flags() == before


def test_the_settings_of_products_are_as_before_after_an_exception():
    before = flags()
    with pytest.raises(RuntimeError, match="diverged"), products("tf32"):
        raise RuntimeError("diverged")
    assert flags() == before


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_a_gpu_rounds_to_tf32_only_where_it_may(precision):
    """The factors' last bits, below the ten of TF32, are lost or not."""
    one = torch.full((64, 64), 1 + 2**-14, device="cuda")
    image, weight = one.view(1, 64, 8, 8), one.view(64, 64, 1, 1)
    with products(precision):
        product, convolved = one @ one, torch.conv2d(image, weight)
    exact = 64 * (1 + 2**-14) ** 2
    assert (abs(float(product[0, 0]) - exact) < 1e-3) == (precision == "float32")
    if precision == "float32":  # cuDNN may, but need not
        assert abs(float(convolved[0, 0, 0, 0]) - exact) < 1e-3


def test_a_study_says_which(tiny):
    def made(**training):
        keys = {"dataset": "digits", "model": "nn-2", "regularizers": ["l1"]}
        return Study(name="x", training=training, **keys)

    assert made().training.precision == "float32"
    assert made(precision="float32").hash == made().hash != made(precision="bfloat16").hash
    assert len({made(precision=p).hash for p in ("float32", "tf32", "bfloat16")}) == 3
    assert 'precision = "bfloat16"' in made(precision="bfloat16").to_toml()
    with pytest.raises(StudyError, match=r"training\.precision: .*'float32', 'tf32' or 'bfloat16'.*'half'") as caught:
        made(precision="half")
    assert "\n" not in str(caught.value)


def test_a_study_of_an_earlier_release_keeps_its_name():
    """Its hash was of tables without this key."""
    keys = {"training": {"epochs": 3}, "search": {"sampler": "tpe"}, "confirm": {"seeds": 5}}
    study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], **keys)
    assert study.hash == "328c47cb0b1a4093"

"""Lanes against single runs, in float64: training in float32 amplifies the rounding of batched kernels."""

import sys

import pytest
import torch
from interpreted_kernels import interpreted, needs_loops_to_loaded_bounds
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.optimizers.rows import row_layout
from tune_reg.regularizers import regularizer, regularizers
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings, checkpoint, lane_key
from tune_reg.training.inputs import LaneInputs
from tune_reg.training.lanes.networks import LaneNetworks
from tune_reg.training.lanes.step import LaneStep

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)

MODELS = ("nn-2-small", "lenet-4", "small-cnn", "resnet-8-keras")
POOLING = ("lenet-4", "small-cnn")

#: Regularizers with each of the hooks.
OF_EACH_KIND = (
    "adadecay",
    "adaptive-weight-decay",
    "constrained-parameters",
    "cutmix",
    "dropout",
    "fob",
    "l1",
    "label-smoothing",
    "noise-injection",
    "residual-smoothing",
    "sam",
    "sparse-gradients",
)

#: Choices and combinations that take other paths through the code, tested on the quickest model.
VARIANTS = [
    ("adadecay", {"mode": "decoupled"}),
    ("weight-decay-taper", {"taper": "sch01"}),
    ("residual-smoothing", {"annealing": "logistic", "orientation": "column"}),
    ("residual-smoothing", {"variant": "global", "output": "raw"}),
    ("jac", {"estimator": "exact"}),
    ("hsfob", {"estimator": "exact"}),
    ("hsfob-db2", {"probes": 2}),
    ("adadecay+dropout", {}),
    ("label-smoothing+noise-injection+l1", {}),
    ("adadecay-shuffled+adadecay-randomized", {}),
    ("fob+confidence-penalty+hsfob-db2", {"hsfob_db2_probes": 2}),
    ("sam+dropout+fob+weight-decay", {}),
    ("adaptive-weight-decay+constrained-parameters+cautious-weight-decay", {}),
    ("mixup+noise-injection+cutmix+label-smoothing", {"cutmix_alpha": 0.7}),
]

FACTORS = (0.5, 0.8, 0.9)


@pytest.fixture(scope="module")
def noise(random_images):
    """Images without two equal patches.

    Where two pixels tie in a max pooling, rounding decides which one gets the gradient, and so a penalty on it.
    """
    return random_images(120, 30, 18)


def run_of(name, lane, *, model="nn-2-small", choices=None, training=None, **keys):
    """A run unlike its neighbours in seed, subset, strengths, learning rate, momentum, schedule and epochs."""
    params = dict(choices or {})
    for p in regularizer(name).hyperparameters:
        if not p.is_choice:
            params.setdefault(p.name, max(p.low, p.default * FACTORS[lane] + 0.001 * FACTORS[lane]))
    settings = TrainingSettings(
        **{
            "epochs": 4 + lane,
            "batch_size": 11,
            "learning_rate": (0.05, 0.02, 0.01)[lane],
            "learning_rate_schedule": ("sigmoid", "constant", "cosine")[lane],
            "momentum": (0.9, 0.5, 0.0)[lane],
            **(training or {}),
        }
    )
    return Run("tiny", model, name, params, settings, **{"fraction": 0.5, "seed": lane, **keys})


def serial(run, tiny, epochs=0, dtype=torch.float64):
    engine = SerialEngine(run, dataset=tiny, dtype=dtype)
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def side_by_side(tiny, runs, dtype=torch.float64):
    return LaneEngine(runs, dataset=tiny, dtype=dtype)


def train(engine, epochs):
    for _ in range(epochs):
        engine.train_epoch()
    return engine


def without_time(history):
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in history]


def assert_nearly_equal(state, expected, *, weights=1e-10, buffers=1e-7):
    """The state of a lane equals the state of the single run, up to rounding."""
    assert state.keys() == expected.keys()
    assert state["model"].keys() == expected["model"].keys()
    for key, value in expected["model"].items():
        bound = buffers if "running" in key else weights
        assert torch.allclose(state["model"][key], value, rtol=0, atol=bound), key
    of_lane, of_run = state["optimizer"], expected["optimizer"]
    assert of_lane.keys() == of_run.keys()
    assert of_lane["state"].keys() == of_run["state"].keys()
    assert [group.get("step") for group in of_lane["param_groups"]] == [
        group.get("step") for group in of_run["param_groups"]
    ]
    for i, of_parameter in of_run["state"].items():
        assert of_lane["state"][i].keys() == of_parameter.keys()
        for name, wanted in of_parameter.items():
            value = of_lane["state"][i][name]
            assert torch.allclose(value, wanted, rtol=0, atol=weights * 100), f"{name} {i}"
            assert value.dtype == wanted.dtype
            if name == "average":  # made by an optimizer without a fused form, in whatever format its sums have
                continue
            assert value.stride() == wanted.stride()
    assert (state["epoch"], state["diverged"]) == (expected["epoch"], expected["diverged"])
    for row, expected_row in zip(without_time(state["history"]), without_time(expected["history"]), strict=True):
        # Only a loop of the user's own has values that the engines have none of.
        numbers, expected_numbers = ({k: v for k, v in of.items() if v is not None} for of in (row, expected_row))
        assert numbers == pytest.approx(expected_numbers, rel=1e-8, nan_ok=True)


def assert_identical(one, other):
    """Two states are equal bit for bit, apart from the seconds in their rows."""
    assert all(one["model"][key].equal(value) for key, value in other["model"].items())
    momenta, others = one["optimizer"]["state"], other["optimizer"]["state"]
    assert momenta.keys() == others.keys()
    assert all(momenta[i]["momentum_buffer"].equal(others[i]["momentum_buffer"]) for i in others)
    assert without_time(one["history"]) == without_time(other["history"])


def assert_padding_is_0(engine):
    """In all rows of weights, of what is kept for each, and of gradients."""
    networks, rows = engine._networks, []
    for program in engine._programs.values():
        assert program.step._gradient is None or program.step._one_pass is None
        rows += [] if program.step._gradient is None else [program.step._gradient]
    layout = row_layout(networks.shapes)
    padding = layout.join([torch.ones(1, *shape) for shape in networks.shapes])[0] == 0
    assert padding.any()
    for tensor in (networks.stack.weights, *networks.stack.kept.values(), *rows):
        assert (tensor[:, padding] == 0).all()


def check_against_single_runs(tiny, runs, epochs=2, starts=(0, 1, 0)):
    """Lanes that begin at epochs ``starts``, taken over from single runs, stay the single runs."""
    alone = [serial(run, tiny, start) for run, start in zip(runs, starts, strict=True)]
    engine = side_by_side(tiny, runs)
    for lane, (single, start) in enumerate(zip(alone, starts, strict=True)):
        if start:
            engine.load_state(lane, single.state())
    train(engine, epochs)
    for lane, single in enumerate(alone):
        train(single, epochs)
        assert_nearly_equal(engine.state(lane), single.state())
    assert_padding_is_0(engine)


# Equality


def with_every_regularizer(model):
    """The perceptron runs every time with all of them, the other nets with those of each kind alone."""
    for name in regularizers():
        every_time = model == "nn-2-small" or name in OF_EACH_KIND
        yield pytest.param(name, model, marks=[] if every_time else [pytest.mark.slow])


@pytest.mark.parametrize(("name", "model"), [case for model in MODELS for case in with_every_regularizer(model)])
def test_lanes_equal_single_runs(tiny, noise, name, model):
    """10 steps of each lane, at different epochs of trainings of different length."""
    if name == "l1" and model == "resnet-8-keras":
        # Its biases before batch normalisation stay 0 but for rounding, whose sign l1 makes much of.
        model = "resnet-14"
    check_regularizer(tiny, noise, name, model)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["nn-2", "lenet-4", "small-cnn", "resnet-20"])
@pytest.mark.parametrize("name", list(regularizers()))
def test_fifty_steps_with_every_regularizer_equal_single_runs(tiny, noise, name, model):
    check_regularizer(tiny, noise, name, model, epochs=10, training={"epochs": 12})


def check_regularizer(tiny, noise, name, model, *, epochs=2, training=None):
    """Lanes at epochs 0, 1 and 0, 5 steps an epoch."""
    if name == "dropout" and model not in ("nn-2-small", "nn-2", "lenet-4"):
        pytest.skip("the model has no dropout layers")
    pools = model in POOLING
    training = {**(training or {}), **({} if pools else {"augment": "crop-flip"})}
    runs = [run_of(name, lane, model=model, training=training) for lane in range(3)]
    check_against_single_runs(noise if pools else tiny, runs, epochs)


@pytest.mark.parametrize(("name", "choices"), VARIANTS, ids=str)
def test_variants_and_combinations_equal_single_runs(tiny, name, choices):
    check_against_single_runs(tiny, [run_of(name, lane, choices=choices) for lane in range(3)])


@pytest.mark.parametrize(
    "model",
    # The others take ten steps in every test run, above.
    [
        "nn-2-small",
        "small-cnn",
        *(pytest.param(model, marks=pytest.mark.slow) for model in ("lenet-4", "resnet-8-keras")),
    ],
)
def test_fifty_steps_equal_single_runs(tiny, model):
    runs = [run_of("adadecay", lane, model=model, training={"epochs": 11 + lane}) for lane in range(3)]
    check_against_single_runs(tiny, runs, epochs=10, starts=(0, 0, 1))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_strengths_with_schedules_and_other_losses_equal_single_runs(tiny, loss):
    schedule = {"weight_decay_schedule": "cosine", "weight_decay_start": 1e-3, "weight_decay_end": 0.1}
    settings = {"loss": loss}
    runs = [
        run_of("weight-decay", 0, training=settings),
        run_of("weight-decay", 1, choices=schedule, training=settings),
        run_of("weight-decay", 2, choices={"learning_rate": 0.03}, training=settings),
    ]
    check_against_single_runs(tiny, runs)


def test_evaluation_equals_that_of_single_runs(tiny):
    """Also where lanes have validation images of their own."""
    runs = [run_of("weight-decay", lane, model="resnet-8-keras", split_seed=lane) for lane in range(2)]
    engine = train(side_by_side(tiny, runs), 1)
    alone = [serial(run, tiny, 1) for run in runs]
    for part in ("train", "validation", "test"):
        for scores, single in zip(engine.evaluate(part), alone, strict=True):
            assert scores == pytest.approx(single.evaluate(part), rel=1e-9), part


def test_protocol_paper_equals_single_runs(tiny):
    runs = [run_of("weight-decay", lane, protocol="paper", training={"batch_size": 40}) for lane in range(3)]
    check_against_single_runs(tiny, runs, epochs=1)


# Optimizers

LEARNING_RATES = {"rmsprop": 1e-3, "adam": 1e-3, "adagrad": 1e-2, "accelerated-sgd": 0.01, "entropy-sgd": 10.0}


def run_with(optimizer, name, lane, **keys):
    """A run with an optimizer other than sgd."""
    rate = LEARNING_RATES[optimizer] * FACTORS[lane]
    return run_of(name, lane, training={"optimizer": optimizer, "learning_rate": rate}, **keys)


#: Regularizers that do something before, within and after the optimizer's step.
AROUND_THE_OPTIMIZER = (
    ("weight-decay", {}),
    ("decoupled-weight-decay", {}),
    ("adadecay", {"mode": "decoupled"}),
    ("noise-injection+dropout+sam", {}),
    ("constrained-parameters+adaptive-weight-decay", {}),
)


@pytest.mark.parametrize(("name", "choices"), AROUND_THE_OPTIMIZER, ids=str)
@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_every_optimizer_in_lanes_equals_single_runs(tiny, optimizer, name, choices):
    """Epochs of 5 steps, or of 1; lanes begin at epochs 0, 1 and 0."""
    check_against_single_runs(tiny, [run_with(optimizer, name, lane, choices=choices) for lane in range(3)])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(regularizers()))
@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_every_optimizer_with_every_regularizer_equals_single_runs(tiny, optimizer, name):
    check_against_single_runs(tiny, [run_with(optimizer, name, lane) for lane in range(3)])


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [("adam", "lenet-4"), ("entropy-sgd", "resnet-8-keras"), ("accelerated-sgd", "small-cnn")],
)
def test_other_models_with_other_optimizers_equal_single_runs(noise, optimizer, model):
    check_against_single_runs(noise, [run_with(optimizer, "weight-decay", lane, model=model) for lane in range(3)])


def test_batches_that_are_taken_again_in_a_step_of_entropy_sgd_equal_those_of_single_runs(tiny):
    """7 batches, the last of 2 images: two steps of 5, of which the second takes its two batches in turn."""
    settings = {"optimizer": "entropy-sgd", "batch_size": 8}
    runs = [run_of("noise-injection", lane, training={**settings, "learning_rate": 5.0}) for lane in range(2)]
    engine = side_by_side(tiny, runs)
    assert engine._program_for([0, 1]).inputs.steps == [(8, 8, 8, 8, 8), (8, 2, 8, 2, 8)]
    check_against_single_runs(tiny, runs, starts=(0, 1))


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_with_every_optimizer_a_single_run_goes_on_from_a_lane_and_a_lane_from_it(tiny, optimizer, tmp_path):
    run = run_with(optimizer, "weight-decay", 0)
    engine = side_by_side(tiny, [run_with(optimizer, "weight-decay", 1), run])
    assert_nearly_equal(engine.state(1), serial(run, tiny).state())
    checkpoint.save(tmp_path, 1, train(engine, 1).state(1))
    single = serial(run, tiny)
    single.load_state(checkpoint.load_newest(tmp_path))
    checkpoint.save(tmp_path, 2, train(single, 1).state())
    engine.replace(0, run, checkpoint.load_newest(tmp_path))
    train(engine, 1)
    assert_nearly_equal(engine.state(0), serial(run, tiny, 3).state())
    assert_nearly_equal(engine.state(1), serial(run, tiny, 2).state())


@pytest.mark.parametrize("name", ["weight-decay", "sparse-gradients", "noise-injection"])
def test_sgd_in_one_pass_equals_single_runs(tiny, monkeypatch, name):
    """With the kernel that is meant for GPUs, by Triton's interpreter."""
    pytest.importorskip("triton")
    one_pass, calls = interpreted(monkeypatch, "tune_reg.optimizers.sgd_kernel", "sgd_in_one_pass"), []
    monkeypatch.setattr(
        "tune_reg.training.lanes.step.fused_sgd", lambda *_: lambda *tensors: calls.append(one_pass(*tensors))
    )
    check_against_single_runs(tiny, [run_of(name, lane) for lane in range(3)], epochs=1, starts=(0, 0, 0))
    assert len(calls) == 5


@pytest.mark.parametrize("name", ["adadecay+weight-decay", "dropout+adadecay-randomized+sparse-gradients"])
def test_adadecay_in_one_pass_equals_single_runs(tiny, monkeypatch, name):
    """With the kernel that is meant for GPUs, by Triton's interpreter."""
    needs_loops_to_loaded_bounds()
    one_pass, calls = interpreted(monkeypatch, "tune_reg.optimizers.adadecay_kernel", "adadecay_in_one_pass"), []

    def counted(*tensors, **numbers):
        calls.append(one_pass(*tensors, **numbers))

    monkeypatch.setattr("tune_reg.training.lanes.step.fused_adadecay", lambda *_: counted)
    check_against_single_runs(tiny, [run_of(name, lane) for lane in range(3)], epochs=1, starts=(0, 0, 0))
    assert len(calls) == 5


def test_a_lane_that_is_replaced_begins_with_nothing_kept(tiny):
    runs = [run_with("adam", "weight-decay", lane) for lane in range(2)]
    engine = train(side_by_side(tiny, runs), 1)
    engine.replace(0, runs[0])
    train(engine, 1)
    assert_nearly_equal(engine.state(0), serial(runs[0], tiny, 1).state())


# Lanes apart


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("adadecay", "lenet-4"),
        ("hsfob", "nn-2-small"),
        ("weight-decay", "resnet-8-keras"),
        pytest.param("hsfob", "resnet-8-keras", marks=pytest.mark.slow),  # the two above, together
    ],
)
def test_neither_neighbours_nor_the_number_of_the_lane_matter(tiny, name, model):
    runs = [run_of(name, lane, model=model) for lane in range(3)]
    ordered, reverse, alone = (train(side_by_side(tiny, order), 2) for order in (runs, runs[::-1], runs[:1]))
    expected = ordered.state(0)
    for other in (reverse.state(2), alone.state(0)):
        assert_nearly_equal(other, expected, weights=1e-12, buffers=1e-12)


@pytest.mark.parametrize(
    ("name", "model", "dtype"),
    [
        ("adadecay", "nn-2-small", torch.float32),
        ("adadecay", "nn-2-small", torch.float64),
        ("fob", "resnet-8-keras", torch.float32),
        ("l1", "small-cnn", torch.float32),
        # In float64, as the perceptron above.
        pytest.param("fob", "resnet-8-keras", torch.float64, marks=pytest.mark.slow),
        pytest.param("l1", "small-cnn", torch.float64, marks=pytest.mark.slow),
    ],
)
def test_a_diverging_lane_leaves_the_others_untouched(tiny, name, model, dtype):
    runs = [run_of(name, lane, model=model) for lane in range(3)]
    wild = run_of(name, 1, model=model, training={"learning_rate": 1e30})
    calm = train(side_by_side(tiny, runs, dtype), 2)
    engine = train(side_by_side(tiny, [runs[0], wild, runs[2]], dtype), 1)
    assert [lane.diverged for lane in engine.lanes] == [False, True, False]
    assert engine.lanes[1].finished
    assert not all(value.isfinite().all() for value in engine.state(1)["model"].values())
    # Three lanes as before, so that the same kernels run: the lane goes on being computed for one more epoch.
    engine.lanes[1].diverged = False
    engine.train_epoch()
    for lane in (0, 2):
        assert_identical(engine.state(lane), calm.state(lane))
    assert_padding_is_0(engine)


def test_a_finished_lane_rests_while_the_others_go_on(tiny):
    runs = [run_of("adadecay", lane, model="resnet-8-keras", training={"epochs": 1 + lane}) for lane in range(3)]
    engine = side_by_side(tiny, runs)
    assert list(engine.train_epoch()) == [0, 1, 2]
    rested = engine.state(0)
    assert list(engine.train_epoch()) == [1, 2]
    assert list(engine.train_epoch()) == [2]
    assert_identical(engine.state(0), rested)
    assert engine.finished
    assert engine.train_epoch() == {}
    for lane, run in enumerate(runs):
        assert_nearly_equal(engine.state(lane), serial(run, tiny, 1 + lane).state())


def test_each_lane_is_validated_after_its_own_epochs(tiny):
    runs = [run_of("dropout", lane, training={"epochs": 5, "validate_every": 1 + lane}) for lane in range(3)]
    engine = train(side_by_side(tiny, runs), 1)
    late = run_of("dropout", 1, seed=7, training={"epochs": 5, "validate_every": 2})
    engine.replace(1, late)
    train(engine, 5)
    for lane, run in enumerate([runs[0], late, runs[2]]):
        assert_nearly_equal(engine.state(lane), serial(run, tiny, 5).state())
        validated = [row["epoch"] for row in engine.lanes[lane].history if row["val_accuracy"] is not None]
        assert validated == [[1, 2, 3, 4, 5], [2, 4, 5], [3, 5]][lane]


# Refill and checkpoints


def test_a_lane_is_replaced_in_place(tiny):
    runs = [run_of("adadecay", lane, model="lenet-4") for lane in range(3)]
    undisturbed = train(side_by_side(tiny, runs), 3)
    engine = train(side_by_side(tiny, runs), 1)
    late = run_of("adadecay", 1, model="lenet-4", seed=7)
    engine.replace(1, late)
    train(engine, 2)
    assert_nearly_equal(engine.state(1), serial(late, tiny, 2).state())
    assert_identical(engine.state(0), undisturbed.state(0))
    assert_identical(engine.state(2), undisturbed.state(2))
    assert engine.lanes[1].run == late


def test_a_lane_goes_on_from_a_checkpoint_in_another_lane(tiny):
    run = run_of("sparse-gradients", 1, model="small-cnn")
    engine = train(side_by_side(tiny, [run_of("sparse-gradients", 0, model="small-cnn"), run]), 2)
    other = side_by_side(tiny, [run_of("sparse-gradients", lane, model="small-cnn") for lane in (0, 2)])
    other.replace(0, run, engine.state(1))
    assert_identical(other.state(0), engine.state(1))
    train(engine, 2)
    train(other, 2)
    assert_nearly_equal(other.state(0), engine.state(1), weights=1e-12, buffers=1e-12)


@pytest.mark.parametrize("model", ["small-cnn", "resnet-8-keras"])
def test_a_single_run_goes_on_from_a_lane_and_a_lane_from_it(tiny, model, tmp_path):
    run = run_of("weight-decay", 0, model=model)
    engine = train(side_by_side(tiny, [run, run_of("weight-decay", 1, model=model)]), 1)
    checkpoint.save(tmp_path, 1, engine.state(0))
    single = serial(run, tiny)
    single.load_state(checkpoint.load_newest(tmp_path))
    single.train_epoch()
    checkpoint.save(tmp_path, 2, single.state())
    engine.replace(1, run, checkpoint.load_newest(tmp_path))
    engine.train_epoch()
    expected = serial(run, tiny, 2)
    assert_nearly_equal(engine.state(0), expected.state())
    expected.train_epoch()
    assert_nearly_equal(engine.state(1), expected.state())


def test_a_state_is_a_copy(tiny):
    engine = train(side_by_side(tiny, [run_of("l1", 0, model="resnet-8-keras")]), 1)
    state, again = engine.state(0), engine.state(0)
    engine.train_epoch()
    assert_identical(state, again)
    weights = next(key for key, value in state["model"].items() if value.ndim == 4 and value.shape[1] > 1)
    assert not engine.state(0)["model"][weights].equal(state["model"][weights])
    size = sum(value.untyped_storage().nbytes() for value in state["model"].values())
    assert size == sum(value.numel() * value.element_size() for value in state["model"].values()), "nothing else"


# Broken on purpose: what the comparison is worth


def broken_learning_rate(monkeypatch):
    original = LaneStep._update

    def broken(self, gradient, kept):
        self.inputs.learning_rate[1] *= 1 + 1e-6
        original(self, gradient, kept)

    monkeypatch.setattr(LaneStep, "_update", broken)


def broken_strength(monkeypatch):
    original = LaneInputs.begin

    def broken(self, *arguments):
        original(self, *arguments)
        self.strengths["weight_decay"][1] *= 1 + 1e-4

    monkeypatch.setattr(LaneInputs, "begin", broken)


def broken_dropout(monkeypatch):
    original = LaneInputs.noise

    def broken(self, purpose, batch):
        noise = original(self, purpose, batch)
        if purpose == "dropout":
            noise[0][1] = noise[0][1].roll(1)
        return noise

    monkeypatch.setattr(LaneInputs, "noise", broken)


def broken_momentum(monkeypatch):
    original = LaneNetworks.write_kept

    def broken(self, lane, of_parameters):
        original(self, lane, {} if lane == 1 else of_parameters)

    monkeypatch.setattr(LaneNetworks, "write_kept", broken)


@pytest.mark.parametrize("defect", [broken_learning_rate, broken_strength, broken_dropout, broken_momentum])
def test_a_broken_lane_is_seen(tiny, monkeypatch, defect):
    momentum = {"momentum": 0.9}
    runs = [run_of("adadecay+dropout", lane, training=momentum) for lane in range(3)]
    defect(monkeypatch)
    alone = [serial(run, tiny, 1) for run in runs]
    engine = side_by_side(tiny, runs)
    for lane, single in enumerate(alone):
        engine.load_state(lane, single.state())
    train(engine, 1)
    for single in alone:
        single.train_epoch()
    with pytest.raises(AssertionError):
        assert_nearly_equal(engine.state(1), alone[1].state())
    assert_nearly_equal(engine.state(0), alone[0].state())
    assert_nearly_equal(engine.state(2), alone[2].state())


# What is refused


def test_runs_that_differ_in_more_than_numbers_are_refused(tiny):
    first = run_of("adadecay", 0)
    for other, what in (
        (run_of("l1", 1), "regularizer must be the same in all lanes, but lane 1 has 'l1' and the others 'adadecay'"),
        (run_of("adadecay", 1, model="lenet-4"), "model must be"),
        (run_of("adadecay", 1, choices={"mode": "decoupled"}), "choices must be"),
        (run_of("adadecay", 1, fraction=0.25), "training_set must be"),
        (run_of("adadecay", 1, training={"batch_size": 8}), "batch_size must be"),
        (run_of("adadecay", 1, training={"loss": "mse"}), "loss must be"),
        (run_of("adadecay", 1, training={"optimizer": "adam"}), "optimizer must be"),
        (run_of("adadecay", 1, training={"augment": "crop-flip"}), "augment must be"),
        (run_of("adadecay", 1, protocol="paper"), "protocol must be"),
        (run_of("adadecay", 1, training={"validation": 0.5}), "validation must be"),
    ):
        assert lane_key(other) != lane_key(first)
        with pytest.raises(StudyError, match=f"lanes: {what}"):
            side_by_side(tiny, [first, other])
        engine = side_by_side(tiny, [first])
        before = engine.state(0)
        with pytest.raises(StudyError, match=f"lanes: {what}".replace("lane 1", "lane 0")):
            engine.replace(0, other)
        assert_identical(engine.state(0), before)
        assert engine.lanes[0].run == first


def test_a_lane_that_rests_stays_as_it_is_until_another_run_takes_it(tiny):
    runs = [run_of("l1", lane) for lane in (0, 1)]
    engine = train(side_by_side(tiny, runs), 1)
    engine.rest(0)
    before = engine.state(0)
    assert list(engine.train_epoch()) == [1]
    assert_nearly_equal(engine.state(0), before)
    assert_nearly_equal(engine.state(1), serial(runs[1], tiny, 2).state())
    engine.replace(0, runs[0], before)
    assert list(engine.train_epoch()) == [0, 1]
    assert_nearly_equal(engine.state(0), serial(runs[0], tiny, 2).state())
    for lane in (0, 1):
        engine.rest(lane)
    assert engine.finished
    assert engine.train_epoch() == {}


def test_no_runs_and_no_such_lane_are_refused(tiny):
    with pytest.raises(StudyError, match="runs must not be empty"):
        side_by_side(tiny, [])
    engine = side_by_side(tiny, [run_of("l1", 0)])
    for wrong in (-1, 1):
        for call in (engine.state, engine.rest, lambda lane: engine.replace(lane, run_of("l1", 0))):
            with pytest.raises(StudyError, match=rf"lane must lie in 0 \.\. 0, but got {wrong}"):
                call(wrong)


def flat_linear(channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size[0] * image_size[1], classes))


def with_torchs_dropout(channels, image_size, classes):
    return nn.Sequential(nn.Dropout(0.5), flat_linear(channels, image_size, classes))


class Idle(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.idle = net, nn.Parameter(torch.zeros(3))

    def forward(self, images):
        return self.net(images)


def with_an_idle_parameter(channels, image_size, classes):
    return Idle(flat_linear(channels, image_size, classes))


class Frozen(Idle):
    def __init__(self, net):
        super().__init__(net)
        self.idle.requires_grad_(False)


def with_a_frozen_parameter(channels, image_size, classes):
    return Frozen(flat_linear(channels, image_size, classes))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("with_torchs_dropout", "must run under torch.func.vmap, but fails"),
        ("with_an_idle_parameter", "must use all its parameters, but 'net.idle' has no part in its output"),
    ],
)
def test_models_that_cannot_be_lanes_are_refused(tiny, model, message, monkeypatch):
    with pytest.raises(StudyError, match=message) as caught:
        side_by_side(tiny, [run_of("l1", 0, model=users_model(monkeypatch, model))])
    assert "\n" not in str(caught.value)


def test_frozen_parameters_stay(tiny, monkeypatch):
    model = users_model(monkeypatch, "with_a_frozen_parameter")
    check_against_single_runs(tiny, [run_of("weight-decay", lane, model=model) for lane in range(3)])


def users_model(monkeypatch, function):
    """The name of a user's model, which is a function of this file."""
    monkeypatch.setitem(sys.modules, "lane_models", sys.modules[__name__])
    return f"lane_models:{function}"


class LanesForgotten(regularizer("confidence-penalty")):
    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        return strengths["strength"].sum() * outputs.square().mean()


def test_a_penalty_that_mixes_lanes_is_refused(tiny):
    engine = side_by_side(tiny, [run_of("confidence-penalty", lane) for lane in range(2)])
    engine._regularizer = LanesForgotten()
    with pytest.raises(StudyError, match=r"the penalty of 'confidence-penalty' must keep the lanes' axis \[2\]"):
        engine.train_epoch()


def test_several_threads_draw_the_random_numbers_that_one_draws(tiny, monkeypatch):
    runs = [run_of("mixup+noise-injection+dropout", lane, training={"augment": "crop-flip"}) for lane in range(3)]
    one = train(side_by_side(tiny, runs), 3)
    monkeypatch.setattr("tune_reg.training.inputs.threads_for", lambda device: 3)
    several = train(side_by_side(tiny, runs), 3)
    for lane in range(3):
        assert_identical(several.state(lane), one.state(lane))

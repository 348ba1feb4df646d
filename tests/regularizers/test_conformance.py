"""What every regularizer must do, whoever wrote it."""

import math
import re

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

from search_spaces import Choice, Domain
from tune_reg import models
from tune_reg.regularizers import Progress, regularizer, regularizers
from tune_reg.training import Interrupted, Run, SerialEngine, TrainingSettings, checkpoint

#: Training and test images of the fixture ``tiny``.
TINY = (120, 30)

#: The loss of the plain training that a regularizer with a loss of its own equals when it is off.
LOSS = {"residual-smoothing": "mse"}

#: Another value of hyperparameters of which half the default changes nothing in a training of two epochs.
OTHER_VALUE = {"begin": 0.0, "end": 0.5, "warm_up": 0.5}

every = pytest.mark.parametrize("name", list(regularizers()))

#: Larger nets, and the regularizers that they are trained with here; ``make slow`` takes all. The others have the same
#: layers: convolutions, pooling, dropout, and batch normalisation in blocks with shortcuts.
LARGER = {"lenet-4": ("dropout",), "resnet-20": ("adadecay",)}


def every_on(*nets):
    """Every regularizer on each of these nets, and some on the larger ones."""
    larger = [
        pytest.param(name, net, marks=[] if name in every_time else pytest.mark.slow)
        for net, every_time in LARGER.items()
        for name in regularizers()
    ]
    small = [(name, net) for net in nets for name in regularizers()]
    return pytest.mark.parametrize(("name", "model"), [*small, *larger])


every_hyperparameter = pytest.mark.parametrize(
    ("name", "hyperparameter"),
    [(name, p) for name, kind in regularizers().items() for p in kind.hyperparameters],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def engine_of(tiny, name, params=None, *, model="nn-2-small", loss="cross-entropy", seed=0, epochs=2):
    training = TrainingSettings(epochs=epochs, batch_size=25, loss=loss, learning_rate_schedule="sigmoid")
    return SerialEngine(Run("tiny", model, name, params or {}, training, seed=seed), dataset=tiny)


def trained_weights(engine):
    """The state of the network at the end of its training."""
    while not engine.finished:
        engine.train_epoch()
    return {name: tensor.clone() for name, tensor in engine.model.state_dict().items()}


@pytest.fixture(scope="module")
def trained(tiny):
    """The weights and the rows of a training to its end; tests that compare with the same training share it."""
    kept = {}

    def train(name, params=None, *, model="nn-2-small", loss="cross-entropy", epochs=2):
        key = (name, *sorted((params or {}).items()), model, loss, epochs)
        if key not in kept:
            engine = engine_of(tiny, name, params, model=model, loss=loss, epochs=epochs)
            kept[key] = trained_weights(engine), engine.history
        return kept[key]

    return train


def are_equal(one, other):
    """Whether two states of a network are equal, bit for bit."""
    assert one.keys() == other.keys()
    return all(one[name].equal(other[name]) for name in one)


def need_dropout_layers(name, model):
    if regularizer(name).fills("dropout") and not models.supports_dropout(model):
        pytest.skip(f"{name} needs dropout layers, which {model} lacks; a study refuses the two together")


def without_time(history):
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in history]


@every_on("nn-2-small", "small-cnn", "resnet-8-keras")
def test_off_equals_the_baseline_bit_for_bit(trained, name, model):
    need_dropout_layers(name, model)
    off, history = trained(name, regularizer(name).off(), model=model)
    loss = LOSS.get(name, "cross-entropy")
    baseline, expected_history = trained("weight-decay", {"weight_decay": 0.0}, model=model, loss=loss)
    assert are_equal(off, baseline)
    on, _ = trained(name, model=model)
    assert not are_equal(on, baseline), "on, it is another training"
    for row, expected in zip(history, expected_history, strict=True):
        assert (row["val_loss"], row["val_accuracy"]) == (expected["val_loss"], expected["val_accuracy"])
        assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-6)


@every
def test_off_holds_whatever_the_other_hyperparameters_are(tiny, trained, name):
    kind = regularizer(name)
    free = {p.name: other_value(p) for p in kind.hyperparameters if p.off is None and p.name != "output"}
    off, _ = trained(name, kind.off())
    assert are_equal(trained_weights(engine_of(tiny, name, {**kind.off(), **free})), off)


@every
@pytest.mark.parametrize("model", ["nn-2-small", "small-cnn"])
def test_same_seed_repeats_and_another_differs(tiny, trained, name, model):
    need_dropout_layers(name, model)
    weights, history = trained(name, model=model)
    again = engine_of(tiny, name, model=model)
    assert are_equal(weights, trained_weights(again))
    assert without_time(history) == without_time(again.history)
    assert not are_equal(weights, trained_weights(engine_of(tiny, name, model=model, seed=4)))


@every
@pytest.mark.parametrize(
    ("model", "stop", "epochs"), [("nn-2-small", 1, 3), ("nn-2-small", 2, 3), ("resnet-8-keras", 1, 2)]
)
def test_resumed_equals_uninterrupted_bit_for_bit(tiny, trained, name, model, stop, epochs, tmp_path):
    need_dropout_layers(name, model)
    expected, history = trained(name, model=model, epochs=epochs)
    first = engine_of(tiny, name, model=model, epochs=epochs)
    for _ in range(stop):
        first.train_epoch()
    checkpoint.save(tmp_path, first.epoch, first.state())
    torch.manual_seed(12345)
    second = engine_of(tiny, name, model=model, epochs=epochs)
    second.load_state(checkpoint.load_newest(tmp_path))
    assert second.epoch == stop
    assert are_equal(trained_weights(second), expected)
    assert without_time(second.history) == without_time(history)


@every_on("nn-2-small", "resnet-8-keras")
def test_an_interrupted_epoch_continues_bit_for_bit(tiny, trained, name, model, tmp_path):
    """The second epoch is interrupted twice, and each time goes on in a new engine."""
    need_dropout_layers(name, model)
    expected, history = trained(name, model=model)
    engine = engine_of(tiny, name, model=model)
    engine.train_epoch()
    kept = engine.state().keys()
    for steps in (1, 2):
        answers = iter([False] * steps + [True])
        with pytest.raises(Interrupted):
            engine.train_epoch(leave=lambda answers=answers: next(answers))
        checkpoint.save(tmp_path, engine.epoch, engine.state(), step=engine.step)
        torch.manual_seed(12345)
        engine = engine_of(tiny, name, model=model)
        engine.load_state(checkpoint.load_newest(tmp_path))
    assert (engine.epoch, engine.step) == (1, 3)
    assert are_equal(trained_weights(engine), expected)
    assert without_time(engine.history) == without_time(history)
    assert engine.state().keys() == kept


def other_value(p):
    """Another legal value of a hyperparameter."""
    if p.choices:
        return next(choice for choice in p.choices if choice != p.default)
    if p.count:
        return p.default + 1
    if p.name in OTHER_VALUE:
        return OTHER_VALUE[p.name]
    value = p.default / 2 + 0.01
    assert p.violation(value) is None
    return value


@every_hyperparameter
def test_every_hyperparameter_changes_the_training(trained, name, hyperparameter):
    changed, _ = trained(name, {hyperparameter.name: other_value(hyperparameter)})
    plain, _ = trained(name)
    assert not are_equal(changed, plain)


@every
def test_a_changed_strength_changes_the_weights(tiny, name):
    kind = regularizer(name)
    strength = kind.hyperparameter(kind.strength)
    assert strength is not None
    strong, weak = (engine_of(tiny, name, {strength.name: strength.default * factor}) for factor in (1.5, 0.1))
    assert not are_equal(trained_weights(strong), trained_weights(weak))


@every_hyperparameter
def test_what_breaks_the_bounds_is_named(name, hyperparameter):
    p = hyperparameter
    assert p.violation(p.default) is None
    assert p.off is None or p.violation(p.off) is None
    if p.choices:
        assert all(p.violation(choice) is None for choice in p.choices)
        for wrong in ("no such", 1.0, None):
            assert p.violation(wrong) == f"must be one of {', '.join(p.choices)}, but got {wrong!r}"
        return
    if p.count:
        assert p.violation(p.default + 0.5) == f"must be a whole number, but got {p.default + 0.5!r}"
    for wrong in (math.nan, math.inf, -math.inf, "0.1", True, None):
        assert p.violation(wrong) == f"must be a finite number, but got {wrong!r}"
    for bound, beyond in ((p.low, -1.0), (p.high, 1.0)):
        if math.isfinite(bound):
            assert p.violation(bound) is None
            assert p.violation(bound + beyond) == f"must lie in {p.bounds}, but got {bound + beyond!r}"


@every
def test_a_regularizer_declares_its_name_formula_and_source(name):
    kind = regularizer(name)
    assert kind.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert any(sign in kind.formula for sign in ("=", "<-", "lambda"))
    assert "\n" not in kind.formula
    assert re.match(r"@\w+\{\w+,\n", kind.reference)
    assert kind.reference.rstrip().endswith("}")
    assert kind.reference.count("{") == kind.reference.count("}")
    for field in ("title",):
        assert re.search(rf"^  {field} = \{{.+\}},?$", kind.reference, re.MULTILINE), field
    assert kind.__doc__
    assert len({p.name for p in kind.hyperparameters}) == len(kind.hyperparameters)
    assert all(p.description for p in kind.hyperparameters)


@every
@pytest.mark.parametrize("which", ["space", "paper"])
def test_spaces_lie_inside_the_hard_bounds(name, which):
    kind = regularizer(name)
    space = getattr(kind, which)
    if which == "paper" and space is None:
        return
    assert set(space) <= {p.name for p in kind.hyperparameters}
    assert space.domains or which == "paper", "something is searched"
    for key, entry in space.items():
        values = entry.values if isinstance(entry, Choice) else [entry]
        if isinstance(entry, Domain) and not isinstance(entry, Choice):
            values = [entry.low, entry.high]
        assert [kind.hyperparameter(key).violation(value) for value in values] == [None] * len(values)


@every
def test_the_default_space_searches_the_strength_and_starts_at_a_published_point(name):
    kind = regularizer(name)
    assert kind.strength in kind.space.domains
    assert kind.space.start


def numbers_of(kind, lanes=None):
    """Strengths as tensors, one or ``lanes`` of each, away from their defaults."""
    numbers = [p for p in kind.hyperparameters if not p.is_choice]
    if lanes is None:
        return {p.name: torch.tensor(p.default, dtype=torch.float64) for p in numbers}
    factors = (0.5, 0.8, 0.9)[:lanes]
    return {
        p.name: torch.tensor([max(p.low, p.default * f + 0.001 * f) for f in factors], dtype=torch.float64)
        for p in numbers
    }


def calls_of(made, tensors):
    """Each hook as a function of strengths and progress, called on ``tensors``."""
    gradient, parameter, outputs, targets, images = tensors
    soft = torch.softmax(outputs, -1)

    def noise(hook, like):
        shape = made.noise_shape(hook, like.shape)
        return (
            None if shape is None else torch.randn(shape, dtype=like.dtype, generator=torch.Generator().manual_seed(1))
        )

    memory = torch.full((made.memory_size(2),), 0.1, dtype=torch.float64)

    def all_of(made):
        """What a hook gives that returns many tensors, as one."""
        tensors, last = made if isinstance(made, tuple) else (made, None)
        tensors = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
        return torch.cat([tensor.flatten() for tensor in (*tensors, *([] if last is None else [last]))])

    pair, gradients = [parameter, parameter[0]], [gradient, gradient[0]]
    return {
        "mix": lambda s, p: all_of(made.mix(images, soft, s, p, noise("mix", images))),
        "ascend": lambda s, p: all_of(made.ascend(pair, gradients, s, p)),
        "gradients": lambda s, p: all_of(made.gradients(gradients, pair, memory, s, p)),
        "settle": lambda s, p: all_of(
            made.settle(pair, [w - g for w, g in zip(pair, gradients, strict=True)], memory, s, p)
        ),
        "inputs": lambda s, p: made.inputs(images, s, p, noise("inputs", images)),
        "targets": lambda s, p: made.targets(soft, s, p),
        "loss": lambda s, p: made.loss(outputs, targets, s, p),
        "weight_decay": made.weight_decay,
        "gradient": lambda s, p: made.gradient(gradient, parameter, s, p, noise("gradient", gradient)),
        "update": lambda s, p: made.update(parameter, gradient, s, p),
        "sparsity": made.sparsity,
        "dropout": made.dropout,
        "current_strength": made.current_strength,
    }


def some_tensors(seed=0):
    drawn = torch.Generator().manual_seed(seed)
    gradient, parameter = (torch.randn(4, 5, dtype=torch.float64, generator=drawn) for _ in range(2))
    outputs = torch.randn(6, 10, dtype=torch.float64, generator=drawn)
    images = torch.rand(6, 1, 4, 4, dtype=torch.float64, generator=drawn)
    return gradient, parameter, outputs, torch.arange(6) + seed, images


def progress_of(value):
    return Progress(*[torch.tensor(value, dtype=torch.float64)] * 4)


@every
def test_hooks_are_pure(name):
    """A hook leaves its arguments as they were, gives the same for the same, and keeps shape and dtype."""
    kind = regularizer(name)
    tensors, strengths, progress = some_tensors(), numbers_of(kind), progress_of(0.5)
    calls = calls_of(kind(), tensors)
    before, numbers = [t.clone() for t in tensors], {key: value.clone() for key, value in strengths.items()}
    filled = [hook for hook in calls if kind.fills(hook) or hook == "current_strength"]
    for hook in filled:
        assert calls[hook](strengths, progress).equal(calls[hook](strengths, progress))
    assert all(a.equal(b) for a, b in zip(before, tensors, strict=True))
    assert numbers == strengths
    likes = {"inputs": tensors[4], "targets": tensors[2], "gradient": tensors[0], "update": tensors[1]}
    both = torch.Size([tensors[0].numel() + len(tensors[0][0])])
    handed_on = torch.Size([both.numel() + kind().memory_size(2)])
    shapes = {hook: like.shape for hook, like in likes.items()} | {
        "mix": torch.Size([tensors[4].numel() + tensors[2].numel()]),
        "ascend": both,
        "gradients": handed_on,
        "settle": handed_on,
    }
    for hook in filled:
        given = calls[hook](strengths, progress)
        assert given.shape == shapes.get(hook, ())
        assert given.dtype == torch.float64


@every
def test_many_trials_at_once_equal_each_alone(name):
    """The hooks for K lanes: torch.func.vmap over strengths, weights, outputs and noise, in float64."""
    kind, lanes = regularizer(name), 3
    made = kind()
    strengths = numbers_of(kind, lanes)
    shares = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    progress = Progress(shares, shares, shares, shares)
    each = [some_tensors(seed) for seed in range(lanes)]
    gradient, parameter, outputs, targets, images = (torch.stack(column) for column in zip(*each, strict=True))
    soft = torch.softmax(outputs, -1)

    def noise(hook, like):
        shape = made.noise_shape(hook, like.shape[1:])
        if shape is None:
            return ()
        drawn = torch.Generator().manual_seed(2)
        return (torch.randn(lanes, *shape, dtype=torch.float64, generator=drawn),)

    def with_noise(hook, function, like):
        """The hook with its noise last, whether it wants some or not."""
        drawn = noise(hook, like)
        return (lambda *a: function(*a[:-1], a[-1])) if drawn else (lambda *a: function(*a, None)), drawn

    pair, gradients = [parameter, parameter[:, 0]], [gradient, gradient[:, 0]]
    memory = torch.full((lanes, made.memory_size(2)), 0.1, dtype=torch.float64)
    hooks = {
        "mix": (made.mix, (images, soft), images),
        "ascend": (made.ascend, (pair, gradients), None),
        "gradients": (made.gradients, (gradients, pair, memory), None),
        "settle": (made.settle, (pair, [w - g for w, g in zip(pair, gradients, strict=True)], memory), None),
        "inputs": (made.inputs, (images,), images),
        "targets": (made.targets, (soft,), None),
        "loss": (made.loss, (outputs, targets), None),
        "weight_decay": (made.weight_decay, (), None),
        "gradient": (made.gradient, (gradient, parameter), gradient),
        "update": (made.update, (parameter, gradient), None),
        "sparsity": (made.sparsity, (), None),
        "dropout": (made.dropout, (), None),
        "current_strength": (made.current_strength, (), None),
    }
    for hook, (function, arguments, like) in hooks.items():
        if hook != "current_strength" and not kind.fills(hook):
            continue
        call, drawn = (function, ()) if like is None else with_noise(hook, function, like)
        together = torch.func.vmap(call)(*arguments, strengths, progress, *drawn)
        for k in range(lanes):
            of_lane = {n: v[k] for n, v in strengths.items()}
            of_this_lane = tree_map(lambda tensor, k=k: tensor[k], arguments)
            alone = call(*of_this_lane, of_lane, progress_of(float(shares[k])), *(d[k] for d in drawn))
            for all_lanes, one in zip(tree_leaves(together), tree_leaves(alone), strict=True):
                assert torch.allclose(all_lanes[k], one, rtol=1e-12, atol=1e-14), hook


def names_that_fill(hook):
    return [name for name, kind in regularizers().items() if kind.fills(hook)]


@pytest.mark.parametrize("name", [*names_that_fill("penalty"), "fob+confidence-penalty+hsfob-db2"])
@pytest.mark.parametrize("estimator", ["probe", "exact"])
def test_penalties_of_many_trials_at_once_equal_each_alone(name, estimator):
    """Penalties take lanes as a leading axis, since gradients by the images cannot be taken inside vmap."""
    kind, lanes = regularizer(name), 3
    made = kind(**{p.name: estimator for p in kind.hyperparameters if p.name.endswith("estimator")})
    drawn = torch.Generator().manual_seed(0)
    images = torch.rand(lanes, 6, 1, 4, 4, dtype=torch.float64, generator=drawn)
    weights = torch.randn(lanes, 16, 10, dtype=torch.float64, generator=drawn)
    targets = torch.randint(10, (lanes, 6), generator=drawn)
    strengths = numbers_of(kind, lanes)
    shape = made.noise_shape("penalty", torch.Size([6, 10]))
    noise = None if shape is None else torch.randn(lanes, *shape, dtype=torch.float64, generator=drawn)

    def penalty(images, weights, targets, strengths, noise):
        images = images.clone().requires_grad_()
        outputs = torch.tanh(images.flatten(-3) @ weights)
        return made.penalty(images, outputs, targets, strengths, progress_of(0.5), noise)

    of_lanes = None if noise is None else made.lane_penalty_noise(noise, torch.Size([6, 10]))
    if of_lanes is not None:
        assert of_lanes.shape == made.noise_shape("penalty", torch.Size([lanes, 6, 10]))
    together = penalty(images, weights, targets, strengths, of_lanes)
    assert together.shape == (lanes,)
    for k in range(lanes):
        of_lane = {n: v[k] for n, v in strengths.items()}
        alone = penalty(images[k], weights[k], targets[k], of_lane, None if noise is None else noise[k])
        assert torch.allclose(together[k], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [*names_that_fill("sparsity"), "l1+sparse-gradients"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_mask_is_of_zeros_and_ones_and_a_function_of_its_source(name, share):
    made = regularizer(name)()

    def mask(parameter, seed):
        return made.mask(parameter, share, torch.Generator().manual_seed(seed))

    for dtype, shape in ((torch.float32, (13, 7)), (torch.float64, (4, 3, 2, 5))):
        weight = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
        before = weight.clone()
        drawn = mask(weight, 1)
        assert weight.equal(before)
        assert (drawn.shape, drawn.dtype) == (weight.shape, weight.dtype)
        assert int((drawn == 0).sum()) == round(share * weight.numel())
        assert int((drawn == 1).sum()) == weight.numel() - round(share * weight.numel())
        assert mask(weight, 1).equal(drawn)
        assert not mask(weight, 2).equal(drawn)
    assert mask(torch.zeros(5), 1) is None, "biases always learn"

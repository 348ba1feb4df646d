import copy
import itertools
import math

import pytest
import torch
from torch.nn import functional

from tune_reg import data, models, schedules
from tune_reg.regularizers.adadecay import decay_factor
from tune_reg.training import Interrupted, Run, SerialEngine, TrainingSettings
from tune_reg.training.seeding import derive, generator
from tune_reg.training.step import regularize

REGULARIZERS = ("weight-decay", "adadecay", "residual-smoothing")


def engine_of(tiny, regularizer="weight-decay", params=None, *, dtype=torch.float32, model="nn-2-small", **keys):
    training = TrainingSettings(**{"epochs": 3, "batch_size": 32, **keys.pop("training", {})})
    run = Run("tiny", model, regularizer, params or {}, training, **keys)
    return SerialEngine(run, dtype=dtype, dataset=tiny)


def trained(engine):
    while not engine.finished:
        engine.train_epoch()
    return engine


def weights(engine):
    return torch.cat([p.detach().flatten() for p in engine.model.parameters()])


def test_epochs_that_are_not_validated_are_trained_alike(tiny):
    each, seldom = (
        trained(engine_of(tiny, "dropout", training={"epochs": 5, "validate_every": every})) for every in (1, 2)
    )
    assert weights(each).equal(weights(seldom))
    values = [[(row["val_loss"], row["val_accuracy"]) for row in engine.history] for engine in (each, seldom)]
    assert all(None not in value for value in values[0])
    assert values[1] == [values[0][i] if i in (1, 3, 4) else (None, None) for i in range(5)]


# Data


def test_validation_images_are_none_of_the_training_images(tiny):
    for seed, fraction in itertools.product((0, 1), (0.5, 1.0)):
        engine = engine_of(tiny, seed=seed, fraction=fraction)
        train, validation = set(engine.train_index.tolist()), set(engine.val_index.tolist())
        assert not train & validation
        assert len(validation) == 40
        assert len(train) == len(engine.train_index) == 200 * fraction


def test_the_split_is_that_of_the_study_and_the_subset_that_of_the_seed(tiny):
    one, other = engine_of(tiny, seed=1, fraction=0.5), engine_of(tiny, seed=2, fraction=0.5)
    assert one.val_index.equal(other.val_index)
    assert set(one.train_index.tolist()) != set(other.train_index.tolist())
    assert not engine_of(tiny, split_seed=1).val_index.equal(one.val_index)


def test_protocol_paper_trains_on_all_and_validates_on_the_test_set(tiny):
    engine = engine_of(tiny, protocol="paper")
    assert sorted(engine.train_index.tolist()) == list(range(240))
    row = engine.train_epoch()
    assert (row["val_loss"], row["val_accuracy"]) == engine.evaluate("test")
    held_out = engine_of(tiny)
    row = held_out.train_epoch()
    assert (row["val_loss"], row["val_accuracy"]) == held_out.evaluate("validation") != held_out.evaluate("test")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_evaluation_is_mean_cross_entropy_and_accuracy_in_evaluation_mode(tiny, part):
    engine = trained(engine_of(tiny, model="resnet-20", dtype=torch.float64, training={"epochs": 1}, fraction=0.5))
    images, labels = {
        "train": (tiny.train_images[engine.train_index], tiny.train_labels[engine.train_index]),
        "validation": (tiny.train_images[engine.val_index], tiny.train_labels[engine.val_index]),
        "test": (tiny.test_images, tiny.test_labels),
    }[part]
    engine.model.train()
    loss, accuracy = engine.evaluate(part)
    engine.model.eval()
    with torch.no_grad():
        outputs = engine.model(images.permute(0, 3, 1, 2).double() / 255)
    assert loss == pytest.approx(functional.cross_entropy(outputs, labels).item(), rel=1e-9)
    assert accuracy == pytest.approx((outputs.argmax(1) == labels).double().mean().item())


# Pairing and repetition


def batches_seen(engine):
    """The images of each batch of one epoch, as the model gets them."""
    seen = []
    handle = engine.model.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].detach().clone()) if module.training else None
    )
    engine.train_epoch()
    handle.remove()
    return seen


def test_runs_of_one_seed_are_paired_across_regularizers(tiny):
    training = {"augment": "crop-flip"}
    engines = [engine_of(tiny, name, seed=7, fraction=0.5, training=training) for name in REGULARIZERS]
    first = engines[0]
    start = weights(first)
    assert all(weights(engine).equal(start) for engine in engines)
    assert all(engine.train_index.equal(first.train_index) for engine in engines)
    epochs = [[batches_seen(engine) for _ in range(2)] for engine in engines]
    for other in epochs[1:]:
        for batches, other_batches in zip(epochs[0], other, strict=True):
            assert all(a.equal(b) for a, b in zip(batches, other_batches, strict=True))
    assert not epochs[0][0][0].equal(epochs[0][1][0]), "each epoch has an order of its own"
    stranger = engine_of(tiny, seed=8, fraction=0.5, training=training)
    assert not weights(stranger).equal(start)
    assert not batches_seen(stranger)[0].equal(epochs[0][0][0])


def test_an_epoch_sees_every_training_image_once(tiny):
    engine = engine_of(tiny, training={"batch_size": 48})
    seen = batches_seen(engine)
    assert [len(batch) for batch in seen] == [48, 48, 48, 48, 8]
    assert engine.steps(0) == 5
    expected = (tiny.train_images[engine.train_index].permute(0, 3, 1, 2).float() / 255).flatten(1)
    assert sorted(torch.cat(seen).flatten(1).tolist()) == sorted(expected.tolist())


def test_the_state_of_torch_does_not_matter(tiny):
    torch.manual_seed(1)
    one = weights(trained(engine_of(tiny)))
    torch.manual_seed(2)
    assert weights(trained(engine_of(tiny))).equal(one)


# The step


def naive_run(tiny, run, theta=None):
    """The same training, unfused and step by step in float64 and torch's usual memory format."""
    settings = run.training
    model = models.build(
        run.model,
        image=tiny.image,
        classes=tiny.classes,
        mean=tiny.mean,
        std=tiny.std,
        seed=derive(run.seed, "weights"),
    ).double()
    train, _ = data.train_validation(
        len(tiny.train_labels), tiny.train_labels, settings.validation, derive(run.split_seed, "validation")
    )
    train = data.subset(train, run.fraction, derive(run.seed, "subset"))
    buffers = {}
    schedule = settings.schedule()
    decay = run.params["weight_decay"]
    losses = []
    for epoch in range(settings.epochs):
        lr = run.settings.learning_rate * schedule(epoch / (settings.epochs - 1))
        order = torch.randperm(len(train), generator=generator(run.seed, "order", epoch + 1))
        augmentation = generator(run.seed, "augment", epoch + 1)
        total = 0.0
        for first in range(0, len(train), settings.batch_size):
            index = train[order[first : first + settings.batch_size]]
            images = tiny.train_images[index].permute(0, 3, 1, 2).contiguous()
            if settings.augment == "crop-flip":
                images = data.crop_flip(images, augmentation)
            loss = functional.cross_entropy(model(images.double() / 255), tiny.train_labels[index])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for i, (parameter, gradient) in enumerate(zip(model.parameters(), gradients, strict=True)):
                    factor = theta(gradient) if theta else 1.0
                    step = gradient + decay * factor * parameter
                    buffers[i] = step if i not in buffers else settings.momentum * buffers[i] + step
                    parameter.sub_(lr * buffers[i])
            total += loss.item() * len(index)
        losses.append(total / len(train))
    return torch.cat([p.detach().flatten() for p in model.parameters()]), losses


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
@pytest.mark.parametrize(
    ("model", "regularizer"),
    [("nn-2-small", "weight-decay"), ("small-cnn", "weight-decay"), ("small-cnn", "adadecay"), ("lenet-4", "adadecay")],
)
def test_training_equals_a_naive_unfused_loop(tiny, model, regularizer, augment):
    params = {"weight_decay": 0.02, "learning_rate": 0.05}
    if regularizer == "adadecay":
        params["alpha"] = 4.0
    training = {"augment": augment, "learning_rate_schedule": "sigmoid", "batch_size": 32}
    engine = engine_of(
        tiny, regularizer, params, dtype=torch.float64, model=model, fraction=0.55, seed=3, training=training
    )
    if model != "nn-2-small":
        convolutions = [p for p in engine.model.parameters() if p.ndim == 4 and p.shape[1] > 1]
        assert convolutions
        assert all(p.is_contiguous(memory_format=torch.channels_last) for p in convolutions)
    start = weights(engine)
    trained(engine)
    theta = (lambda g: decay_factor(g, 4.0)) if regularizer == "adadecay" else None
    expected, losses = naive_run(tiny, engine.run, theta)
    assert (weights(engine) - start).abs().max() > 1e-3
    assert torch.allclose(weights(engine), expected, rtol=1e-8, atol=1e-10)
    assert [row["train_loss"] for row in engine.history] == pytest.approx(losses, rel=1e-9)


def test_a_gradient_laid_out_otherwise_than_its_weight_is_put_right(tiny):
    """The fused optimizer pairs them by the weight's strides: unguarded, the wrong elements meet."""
    engine = engine_of(tiny, model="small-cnn", params={"weight_decay": 0.0})
    before = [p.detach().clone() for p in engine.parameters]
    gradients = [torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) for i, p in enumerate(before)]
    assert any(g.stride() != p.stride() for g, p in zip(gradients, engine.parameters, strict=True))
    for parameter, gradient in zip(engine.parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    progress = engine.plan.progress(0, 0, torch.float32, engine.device)
    regularize(engine.regularizer, engine.parameters, {}, progress, lambda _: None, {}, weight_decay=None)
    for parameter, gradient in zip(engine.parameters, gradients, strict=True):
        assert parameter.grad.stride() == parameter.stride()
        assert parameter.grad.equal(gradient)
    engine.optimizer.step()
    for parameter, old, gradient in zip(engine.parameters, before, gradients, strict=True):
        assert torch.allclose(parameter, old - 0.1 * gradient, atol=1e-6)


def test_augmentation_shifts_and_mirrors_what_the_model_sees(tiny):
    engine = engine_of(tiny, training={"augment": "crop-flip"}, seed=5)
    (first, *_) = batches_seen(engine)
    order = torch.randperm(200, generator=generator(5, "order", 1))
    plain = tiny.train_images[engine.train_index[order[:32]]].permute(0, 3, 1, 2)
    expected = data.crop_flip(plain, generator(5, "augment", 1)).float() / 255
    assert first.equal(expected)
    assert not first.equal(plain.float() / 255)


@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
def test_the_loss_is_the_one_asked_for(tiny, loss):
    engine = engine_of(tiny, dtype=torch.float64, training={"loss": loss, "batch_size": 200, "epochs": 1})
    images = tiny.train_images[engine.train_index].permute(0, 3, 1, 2).double() / 255
    labels = tiny.train_labels[engine.train_index]
    with torch.no_grad():
        outputs = engine.model(images)
    expected = functional.cross_entropy(outputs, labels)
    if loss == "mse":
        expected = (torch.softmax(outputs, 1) - torch.eye(10, dtype=torch.float64)[labels]).square().sum(1).mean()
    assert engine.train_epoch()["train_loss"] == pytest.approx(expected.item(), rel=1e-9)


# Rows


@pytest.mark.parametrize(
    "schedule",
    ["constant", "sigmoid", "cosine", {"kind": "piecewise", "boundaries": [0.5, 0.75], "values": [1, 0.1, 0.01]}],
)
def test_learning_rate_follows_its_schedule_exactly(tiny, schedule):
    engine = engine_of(tiny, training={"epochs": 8, "batch_size": 100, "learning_rate_schedule": schedule})
    factor = engine.run.training.schedule()
    rows = [engine.train_epoch() for _ in range(8)]
    assert [row["learning_rate"] for row in rows] == [0.1 * factor(e / 7) for e in range(8)]
    assert engine.optimizer.param_groups[0]["lr"] == rows[-1]["learning_rate"]
    if isinstance(schedule, dict):
        assert [row["learning_rate"] for row in rows] == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)
    if schedule == "sigmoid":
        assert rows[-1]["learning_rate"] == 0.1 * 0.01


def test_one_epoch_has_the_first_learning_rate(tiny):
    engine = engine_of(tiny, training={"epochs": 1, "learning_rate_schedule": "cosine"})
    assert engine.train_epoch()["learning_rate"] == 0.1
    assert engine.finished


def test_rows_count_epochs_and_tell_the_strength(tiny):
    engine = trained(engine_of(tiny, "residual-smoothing", {"b": 0.3, "scale": 0.8}, training={"epochs": 4}))
    assert [row["epoch"] for row in engine.history] == [1, 2, 3, 4]
    annealing = schedules.laplace(0.75, 0.3)
    assert [row["strength"] for row in engine.history] == pytest.approx(
        [0.8 * annealing(e / 4) for e in range(4)], rel=1e-12
    )
    decayed = engine_of(tiny, "weight-decay", {"weight_decay": 0.003})
    row = decayed.train_epoch()
    assert row["strength"] == 0.003, "as given, and not rounded to float32"
    assert row.keys() == {
        "epoch",
        "learning_rate",
        "strength",
        "train_loss",
        "val_loss",
        "val_accuracy",
        "val_metric",
        "wall_s",
    }
    assert row["wall_s"] > 0
    assert decayed.optimizer.param_groups[0]["weight_decay"] == 0.003


def test_the_annealing_moves_with_every_step(tiny):
    """The loss of residual smoothing sees progress step / T, not that of the epoch."""
    engine = engine_of(tiny, "residual-smoothing", training={"epochs": 2, "batch_size": 50})
    seen = []
    loss = engine.regularizer.loss
    engine.regularizer.loss = lambda o, t, s, progress: seen.append(float(progress.step)) or loss(o, t, s, progress)
    trained(engine)
    assert seen == pytest.approx([i / 8 for i in range(8)])


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_divergence_is_a_status_and_ends_the_run(tiny, regularizer):
    engine = engine_of(tiny, regularizer, {"learning_rate": 1e12, "weight_decay": 1e-1}, training={"epochs": 50})
    assert not engine.diverged
    rows = []
    while not engine.finished:
        rows.append(engine.train_epoch())
    assert engine.diverged
    assert len(rows) < 50
    assert not (math.isfinite(rows[-1]["train_loss"]) and math.isfinite(rows[-1]["val_loss"]))
    assert engine.history == rows
    resumed = engine_of(tiny, regularizer, {"learning_rate": 1e12, "weight_decay": 1e-1}, training={"epochs": 50})
    resumed.load_state(engine.state())
    assert resumed.diverged
    assert resumed.finished


@pytest.mark.parametrize(
    ("optimizer", "steps"), [("sgd", 3), ("adam", 3), ("accelerated-sgd", 3), ("entropy-sgd", 1)], ids=str
)
def test_an_interrupted_epoch_ends_as_if_it_had_not_been_interrupted(tiny, optimizer, steps):
    """With augmentation and noise; an optimizer that takes several batches a step is interrupted between two steps."""
    keys = {"training": {"batch_size": 8, "optimizer": optimizer, "augment": "crop-flip"}, "params": {"strength": 0.1}}
    whole = trained(engine_of(tiny, "noise-injection", **keys))
    first = engine_of(tiny, "noise-injection", **keys)
    first.train_epoch()
    answers = iter([False] * steps + [True])
    with pytest.raises(Interrupted):
        first.train_epoch(leave=lambda: next(answers))
    second = engine_of(tiny, "noise-injection", **keys)
    second.load_state(copy.deepcopy(first.state()))
    for engine in (first, second):  # in the same process, and in another one
        assert 0 < engine.step < engine.steps(1)
        assert weights(trained(engine)).equal(weights(whole))
        assert [row["train_loss"] for row in engine.history] == [row["train_loss"] for row in whole.history]


def test_an_epoch_interrupted_before_it_begins_is_a_whole_checkpoint(tiny):
    engine = engine_of(tiny)
    engine.train_epoch()
    with pytest.raises(Interrupted):
        engine.train_epoch(leave=lambda: True)
    assert engine.step == 0
    assert weights(trained(engine)).equal(weights(trained(engine_of(tiny))))


def test_a_healthy_run_learns(tiny):
    engine = trained(engine_of(tiny, training={"epochs": 10}))
    assert not engine.diverged
    assert engine.finished
    assert engine.history[-1]["val_accuracy"] > 0.8
    assert engine.history[-1]["train_loss"] < engine.history[0]["train_loss"] / 2


def test_the_test_set_is_uploaded_once_however_many_batches_are_asked_for(tiny, monkeypatch):
    engine = engine_of(tiny)
    to, moved = torch.Tensor.to, []

    def noted(tensor, *args, **kwargs):
        moved.append(tensor.data_ptr())
        return to(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", noted)
    for positions in torch.arange(engine.size("test")).split(5):
        engine.batch("test", positions)
    assert moved.count(tiny.test_images.data_ptr()) == 1

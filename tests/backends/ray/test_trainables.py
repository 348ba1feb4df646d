"""Trainables as Tune calls them: set up, reset, saved and restored; without a Ray."""

import pytest
import torch

from tune_reg import TuneRegError, trainable_for
from tune_reg.training import Run, SerialEngine, TrainingSettings

DIGITS = {"dataset": "digits", "model": "nn-2-small", "epochs": 4, "batch_size": 64}


def weights(engine):
    return torch.cat([parameter.detach().flatten() for parameter in engine.model.parameters()])


def exploit(trainable, config, checkpoint, tmp_path):
    """What PopulationBasedTraining does to a trial whose process is used again."""
    assert trainable.reset(dict(config))
    trainable.restore(checkpoint)
    return trainable


@pytest.fixture
def parent(tmp_path):
    """Two epochs of a run, and its checkpoint."""
    trainable = trainable_for("adadecay")({**DIGITS, "weight_decay": 1e-4, "alpha": 2.0, "learning_rate": 0.05})
    trainable.train()
    trainable.train()
    (tmp_path / "checkpoint").mkdir()
    return trainable, trainable.save(str(tmp_path / "checkpoint"))


MUTATIONS = {
    "weight_decay": 0.05,
    "alpha": -1.0,
    "mode": "decoupled",
    "learning_rate": 0.2,
    "learning_rate_schedule": "cosine",
    "momentum": 0.5,
    "batch_size": 32,
    "loss": "mse",
}


@pytest.mark.parametrize("key", MUTATIONS)
def test_what_is_changed_mid_run_holds_from_the_next_epoch_on(parent, tmp_path, key):
    trainable, checkpoint = parent
    before = weights(trainable.engine)
    old, new = trainable.config, {**trainable.config, key: MUTATIONS[key]}
    other = trainable_for("adadecay")({**DIGITS, "weight_decay": 0.3, "learning_rate": 0.4})
    other.train()
    exploit(other, new, checkpoint, tmp_path)
    assert weights(other.engine).equal(before)
    row = other.train()
    assert (row["epoch"], row["training_iteration"]) == (3, 3)
    trainable.train()
    assert not weights(other.engine).equal(weights(trainable.engine)), f"{key} changes nothing"
    # By hand: an engine of the new configuration that takes over weights and momentum alone.
    by_hand = engine_of(new)
    source = engine_of(old)
    source.train_epoch()
    source.train_epoch()
    by_hand.model.load_state_dict(source.model.state_dict())
    for mine, its in zip(by_hand.parameters, source.parameters, strict=True):
        by_hand.optimizer.state[mine]["momentum_buffer"] = source.optimizer.state[its]["momentum_buffer"].clone()
    by_hand.epoch = 2
    expected = by_hand.train_epoch()
    assert weights(other.engine).equal(weights(by_hand))
    assert {name: row[name] for name in ("strength", "learning_rate", "val_loss")} == {
        name: expected[name] for name in ("strength", "learning_rate", "val_loss")
    }


def engine_of(config):
    settings = {key: value for key, value in config.items() if key in TrainingSettings.model_fields}
    params = {key: value for key, value in config.items() if key in ("weight_decay", "alpha", "mode")}
    return SerialEngine(Run("digits", "nn-2-small", "adadecay", params, TrainingSettings(**settings)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "nn-2"),
        ("seed", 1),
        ("fraction", 0.5),
        ("images_per_class", 20),
        ("protocol", "paper"),
        ("validation", 0.25),
        ("optimizer", "adam"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_its_key(parent, tmp_path, key, value):
    trainable, checkpoint = parent
    with pytest.raises(TuneRegError, match=f"^{key}: cannot change within a run, but the checkpoint has ") as caught:
        exploit(trainable, {**trainable.config, key: value}, checkpoint, tmp_path)
    assert "\n" not in str(caught.value)


def test_epochs_without_a_validation_are_refused_where_a_scheduler_reads_each():
    with pytest.raises(TuneRegError, match=r"^validate_every: must be 1 under a Tuner, .* but got 2; leave it out$"):
        trainable_for("adadecay")({**DIGITS, "validate_every": 2})


def test_a_process_that_is_used_again_starts_the_next_run_anew(parent):
    trainable, _ = parent
    config = {**DIGITS, "seed": 3, "weight_decay": 1e-3}
    trainable.reset(dict(config))
    fresh = trainable_for("adadecay")(dict(config))
    assert trainable.train()["epoch"] == 1
    fresh.train()
    assert weights(trainable.engine).equal(weights(fresh.engine))


def test_an_ended_run_that_is_restored_says_so_again(parent, tmp_path):
    trainable, checkpoint = parent
    last = {**trainable.engine.history[-1]}
    exploit(trainable, {**trainable.config, "epochs": 2}, checkpoint, tmp_path)
    row = trainable.train()
    assert row["done"]
    assert {key: row[key] for key in last} == last


def test_weights_that_come_to_rest_mid_run_rest(tmp_path):
    """More sparsity than the parent had: momentum must not go on moving what is masked now."""
    config = {**DIGITS, "sparsity": 0.0, "begin": 0.0}
    trainable = trainable_for("sparse-gradients")(dict(config))
    trainable.train()
    (tmp_path / "checkpoint").mkdir()
    checkpoint = trainable.save(str(tmp_path / "checkpoint"))
    before = [parameter.detach().clone() for parameter in trainable.engine.parameters if parameter.ndim > 1]
    exploit(trainable, {**config, "sparsity": 0.5}, checkpoint, tmp_path)
    trainable.train()
    after = [parameter for parameter in trainable.engine.parameters if parameter.ndim > 1]
    for old, new in zip(before, after, strict=True):
        assert int((old == new).sum()) >= round(0.5 * old.numel())

"""The pieces of a training step: a loop that is made of them trains what the engine trains."""

import pytest
import torch

from tune_reg.data import load
from tune_reg.errors import StudyError
from tune_reg.regularizers import ENGINE_HOOKS, regularizers
from tune_reg.trainer import TrainerRun
from tune_reg.training import Run, SerialEngine, TrainingSettings

CPU = torch.device("cpu")
TRAINING = TrainingSettings(
    epochs=3, batch_size=256, learning_rate=0.05, learning_rate_schedule={"kind": "cosine"}, momentum=0.9
)
#: As a method is made to do something, and to change from epoch to epoch.
PARAMS = {
    "sparse-gradients": {"begin": 0.3, "end": 0.9, "sparsity": 0.5},
    "dropout": {"rate": 0.25},
    "weight-decay": {"weight_decay_schedule": "cosine", "weight_decay_start": 0.05},
}


def handle(run, folder, **settings):
    return TrainerRun(run, load("digits"), CPU, folder, say=lambda _: None, **settings)


def loop(run, engine, folder, *, closure=False):
    """The weights after a loop of one's own that begins at the engine's weights and has its order of images."""
    handed = handle(run, folder)
    model, plan = engine.model, handed.pieces.plan
    images, labels = load("digits").train_images, load("digits").train_labels
    optimizer = handed.optimizer(model.parameters())
    rates = []
    for epoch in range(1, handed.epochs + 1):
        model.train()
        if handed.dropout:
            from tune_reg.models import set_dropout

            set_dropout(model, handed.dropout, plan.dropout_stream(epoch - 1))
        for chunk in plan.order(epoch - 1).split(handed.batch_size):
            x, y = handed.inputs(images[chunk].permute(0, 3, 1, 2).float().div(255)), labels[chunk]

            def evaluate(x=x, y=y):
                optimizer.zero_grad()
                outputs = model(x)
                loss = handed.loss(outputs, y) + handed.penalty(model, x, y, outputs=outputs)
                loss.backward()
                return loss

            if closure:
                optimizer.step(evaluate)
            else:
                evaluate()
                optimizer.step()
        rates.append(handed.learning_rate)
        handed.report(epoch, accuracy=0.5)
    return model, rates


CARRIED = [name for name, kind in regularizers().items() if not any(map(kind.fills, ENGINE_HOOKS))]


@pytest.mark.parametrize(
    ("name", "closure"), [*((name, False) for name in CARRIED), ("l1", True), ("sparse-gradients", True)]
)
def test_a_loop_of_the_pieces_trains_the_weights_of_the_engine(tmp_path, name, closure):
    run = Run("digits", "nn-2-small", name, PARAMS.get(name, {}), TRAINING, fraction=0.5, seed=3)
    engine = SerialEngine(run)
    trained, rates = loop(run, SerialEngine(run), tmp_path, closure=closure)
    rows = [engine.train_epoch() for _ in range(TRAINING.epochs)]
    assert rates == [row["learning_rate"] for row in rows]
    for (key, expected), got in zip(engine.model.state_dict().items(), trained.state_dict().values(), strict=True):
        assert torch.equal(expected, got), key


def test_the_penalty_without_outputs_is_that_of_one_more_forward_pass(tmp_path):
    run = Run("digits", "nn-2-small", "jac", {"strength": 0.1}, TRAINING)
    model = SerialEngine(run).model
    x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 3])
    of_model = handle(run, tmp_path).penalty(model, x, y).item()
    handed = handle(run, tmp_path)
    inputs = handed.inputs(x)
    assert of_model == handed.penalty(model, inputs, y, outputs=model(inputs)).item() > 0
    with pytest.raises(StudyError, match=r"take inputs = run\.inputs\(inputs\) before the model"):
        handed.penalty(model, x, y, outputs=model(x))


def test_a_group_of_parameters_keeps_what_it_says_itself(tmp_path):
    handed = handle(Run("digits", "nn-2-small", "weight-decay", {"weight_decay": 0.1}, TRAINING), tmp_path)
    weights, biases = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    optimizer = handed.optimizer([{"params": [weights]}, {"params": [biases], "weight_decay": 0.0, "lr": 0.5}])
    (weights.sum() + biases.sum()).backward()
    optimizer.step()
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.05, 0.1), (0.5, 0.0)]
    assert weights[0].item() == pytest.approx(1 - 0.05 * 1.1)
    assert biases[0].item() == pytest.approx(0.5)


def test_regression_has_a_squared_loss_and_refuses_what_is_of_classes(tmp_path):
    outputs, targets = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]])
    assert float(handle(Run("digits", "", "l1", {}, TRAINING), tmp_path).loss(outputs, targets)) == 5.0
    with pytest.raises(StudyError, match="label-smoothing is of classes"):
        handle(Run("digits", "", "label-smoothing", {}, TRAINING), tmp_path).loss(outputs, targets)


def test_noise_is_refused_on_whole_numbers(tmp_path):
    handed = handle(Run("digits", "", "noise-injection", {}, TRAINING), tmp_path)
    with pytest.raises(StudyError, match=r"run\.inputs: noise-injection acts on numbers, but got int64"):
        handed.inputs(torch.tensor([[1, 2]]))


def test_strengths_and_rates_are_those_of_the_epoch(tmp_path):
    run = Run("digits", "", "weight-decay", PARAMS["weight-decay"], TRAINING)
    handed, seen = handle(run, tmp_path), []
    for epoch in handed.remaining_epochs():
        seen.append((handed.params["weight_decay"], handed.params["learning_rate"], handed.weight_decay))
        handed.report(epoch, accuracy=0.5)
    assert [pytest.approx(pair) for pair in seen] == [(0.05, 0.05, 0.05), (0.025, 0.025, 0.025), (0.0, 0.0, 0.0)]


def test_steps_of_an_optimizer_of_ones_own_are_counted_by_hand(tmp_path):
    handed = handle(Run("digits", "", "weight-decay", {}, TRAINING), tmp_path)
    shares = []
    for _ in range(20):  # five are planned in an epoch
        shares.append(float(handed.pieces.progress.step))
        handed.step()
    assert shares[:5] == pytest.approx([0, 1 / 15, 2 / 15, 3 / 15, 4 / 15])
    assert set(shares[5:]) == {shares[4]}

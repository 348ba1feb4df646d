import dataclasses
import math

import pytest
import torch
from torch.nn import functional

from tune_reg.errors import StudyError
from tune_reg.evaluation import expected_calibration_error, fast_gradient, final_row, robustness_rows

BY_CLASS = ("test_class_accuracy", "test_class_images")


@pytest.mark.parametrize(("epochs", "last"), [(3, 1), (10, 1), (11, 2), (21, 3)])
def test_final_row(tiny, trained, epochs, last):
    engine = trained(epochs=epochs, batch_size=100, fraction=0.5)
    # A curve that tells each of its epochs from the others.
    curve = [0.5 + 0.3 * math.sin(2 * e) for e in range(epochs)]
    engine.history = [{**r, "val_accuracy": value} for r, value in zip(engine.history, curve, strict=True)]
    engine.model.train()
    row = final_row(engine)
    engine.model.eval()
    with torch.no_grad():
        outputs = engine.model(tiny.test_images.permute(0, 3, 1, 2).float() / 255)
    accuracy = (outputs.argmax(1) == tiny.test_labels).double().mean().item()
    assert row["test_accuracy"] == pytest.approx(accuracy)
    assert row["test_loss"] == pytest.approx(functional.cross_entropy(outputs, tiny.test_labels).item(), rel=1e-5)
    assert (row["test_loss"], row["test_accuracy"]) == pytest.approx(engine.evaluate("test"), rel=1e-6)
    calibration = expected_calibration_error(outputs.double().softmax(1), tiny.test_labels, bins=15)
    assert row["test_ece"] == pytest.approx(calibration, rel=1e-4)
    assert 0 < row["test_ece"] < 1
    assert row["train_accuracy"] == engine.evaluate("train")[1]
    assert row["generalization_gap"] == row["train_accuracy"] - row["test_accuracy"]
    assert row["val_accuracy"] == curve[-1]
    assert row["max_over_epochs"] == max(curve)
    assert row["mean_last_10pct"] == pytest.approx(sum(curve[-last:]) / last)
    assert (row["n_train"], row["n_test"]) == (100, 90)
    right = outputs.argmax(1) == tiny.test_labels
    by_class = [right[tiny.test_labels == label].double().mean().item() for label in range(tiny.classes)]
    assert row["test_class_accuracy"] == pytest.approx(by_class)
    assert row["test_class_images"] == [int((tiny.test_labels == label).sum()) for label in range(tiny.classes)]


def test_a_test_set_of_several_batches(trained, monkeypatch):
    engine = trained(dtype=torch.float64)
    whole = final_row(engine)
    monkeypatch.setattr("tune_reg.evaluation.confirmed._BATCH", 17)
    parts = final_row(engine)
    assert [parts.pop(key) for key in BY_CLASS] == [whole.pop(key) for key in BY_CLASS]
    assert parts.keys() == whole.keys()
    for name, value in whole.items():
        assert parts[name] == (None if value is None else pytest.approx(value, rel=1e-9)), name


def test_a_class_without_a_test_image_has_no_accuracy(trained, monkeypatch):
    engine = trained()
    labels = engine.dataset.test_labels
    without = dataclasses.replace(engine.dataset, test_labels=labels.clamp(min=1))
    monkeypatch.setattr(engine, "dataset", without)
    row = final_row(engine)
    assert row["test_class_accuracy"][0] is None
    assert row["test_class_images"][0] == 0
    weights = [share * images for share, images in zip(*(row[key][1:] for key in BY_CLASS), strict=True)]
    assert sum(weights) / row["n_test"] == pytest.approx(row["test_accuracy"])


def test_robustness_rows(tiny, trained):
    engine = trained(epochs=8)
    radii = [0.02, 0.1, 0.3]
    rows = robustness_rows(engine, fgsm=radii, images=1000)
    assert [(row["test"], row["norm"], row["epsilon"], row["n"]) for row in rows] == [
        ("fgsm", "linf", epsilon, 90) for epsilon in [0.0, *radii]
    ]
    accuracies = [row["accuracy"] for row in rows]
    assert accuracies[0] == pytest.approx(engine.evaluate("test")[1])
    images = tiny.test_images.permute(0, 3, 1, 2).float() / 255
    expected = fast_gradient(engine.model, images, tiny.test_labels, radii).double().mean(1).tolist()
    assert accuracies[1:] == pytest.approx(expected)
    assert accuracies[0] > accuracies[1] > accuracies[3]


def test_robustness_is_measured_on_the_same_images_in_all_runs_of_a_study(trained):
    def seen(**keys):
        engine = trained(epochs=1, **keys)
        batches = []
        engine.model.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].detach().clone()))
        rows = robustness_rows(engine, gaussian_noise=[0.1], corruptions=["shift"], images=20)
        assert [row["n"] for row in rows] == [20] * 8
        return torch.stack(batches)

    assert seen(seed=1).equal(seen(seed=2))
    assert not seen(seed=1).equal(seen(seed=1, split_seed=1))


def test_testing_does_not_disturb_the_training(trained):
    engine, other = trained(until=2), trained(until=2)
    robustness_rows(other, pgd_linf=[0.1], images=20)
    engine.train_epoch()
    other.train_epoch()
    for one, two in zip(engine.model.parameters(), other.model.parameters(), strict=True):
        assert one.equal(two)


def test_nothing_asked_no_rows(trained):
    assert robustness_rows(trained(epochs=1), fgsm=[], images=10) == []


def test_the_test_set_is_not_read_before_the_end(trained):
    engine = trained(epochs=2, until=1)
    with pytest.raises(StudyError, match="read once, when training is over, but epoch 1 of 2 is trained"):
        final_row(engine)
    engine.train_epoch()
    assert final_row(engine)["n_test"] == 90

"""Examples that are no images of bytes: any shape, floats or whole numbers, given to a model as they are."""

import numpy as np
import pytest
import torch

from tune_reg.data import batch, from_arrays
from tune_reg.models import build
from tune_reg.training import Run, SerialEngine, TrainingSettings

RNG = np.random.default_rng(0)
LABELS = np.arange(50) % 5


@pytest.mark.parametrize(
    ("examples", "shape", "values"),
    [
        (RNG.normal(size=(50, 7)), (7,), "floats"),
        (RNG.normal(size=(50, 2, 30)).astype(np.float16), (2, 30), "floats"),
        (RNG.normal(size=(50, 3, 8, 8)), (3, 8, 8), "floats"),
        (RNG.normal(size=50), (1,), "floats"),
        (RNG.integers(0, 2, (50, 4)).astype(bool), (4,), "floats"),
        (RNG.integers(0, 99, (50, 12)).astype(np.int16), (12,), "integers"),
        (RNG.integers(0, 2, (50, 4)).astype(np.uint8), (4,), "integers"),
    ],
)
def test_a_model_is_given_the_examples_as_they_are(examples, shape, values):
    data = from_arrays("mine", examples, LABELS, examples, LABELS)
    assert (data.image, data.values, data.info().image) == (shape, values, shape)
    assert data.mean is None
    assert data.std is None
    got = batch(data.train_images, torch.tensor([3, 1]))
    assert got.dtype == (torch.int64 if values == "integers" else torch.float32)
    np.testing.assert_allclose(got.numpy(), examples[[3, 1]].reshape(2, *shape), rtol=1e-3)
    assert "given to the model as they are" in data.notes[0]


def test_a_fifth_of_each_class_is_held_out_where_there_is_no_test_set():
    examples = np.arange(50)[:, None] * 1.0
    data = from_arrays("mine", examples, LABELS)
    assert data.test_labels.bincount().tolist() == [2] * 5
    assert sorted([*data.train_images.flatten().tolist(), *data.test_images.flatten().tolist()]) == list(range(50))
    assert from_arrays("again", examples, LABELS).md5 == data.md5
    assert "10 of its 50 examples" in data.notes[1]


def test_bounds_are_those_of_each_feature_of_a_vector_and_of_all_values_else():
    table = from_arrays("table", np.array([[0.0, 5], [1, 7]]), [0, 1], np.array([[-1.0, 6]]), [0])
    low, high = table.bounds
    assert (low.tolist(), high.tolist()) == ([-1, 5], [1, 7])
    signals = from_arrays("signals", np.array([[[0.0, 5]], [[1, 7]]]), [0, 1], np.array([[[-1.0, 6]]]), [0])
    assert [float(bound) for bound in signals.bounds] == [-1, 7]


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_a_perceptron_learns_a_table(dtype):
    labels = RNG.integers(0, 2, 400)
    table = (RNG.normal(size=(400, 6)) * 3 + 9 * labels[:, None]).astype(dtype)
    data = from_arrays("table", (table - (0 if dtype == np.int64 else table.mean(0))), labels)
    run = Run("table", "nn-2-small", "weight-decay", training=TrainingSettings(epochs=3, learning_rate=0.01))
    engine = SerialEngine(run, dataset=data)
    for _ in range(3):
        engine.train_epoch()
    assert engine.evaluate("test")[1] > 0.9


def test_nothing_is_normalised_inside_the_model_of_a_table():
    model = build("nn-2-small", image=(6,), classes=2, mean=None, std=None, seed=0)
    assert "mean" not in model.state_dict()
    examples = torch.rand(4, 6) * 100
    assert torch.equal(model(examples), model.net(examples))

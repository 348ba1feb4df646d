"""Attacks whose passes are replayed find what they find with eager passes; the stand-in is that of a training step."""

import pytest
import torch
from torch import nn

from tests.training.test_cuda_graphs import Recorded, Refusing
from tune_reg import models
from tune_reg.evaluation import carlini_wagner, deepfool, fast_gradient, pgd
from tune_reg.evaluation.captured_model import EAGER_PASSES, CapturedModel
from tune_reg.evaluation.foolbox_attacks import PyTorchModel  # noqa: F401 - what it warns of is not of these tests


@pytest.fixture
def attacked(monkeypatch):
    """A function that gives an attack's result with given graphs, on a network and images of random numbers."""
    source = torch.Generator().manual_seed(3)
    images = torch.rand(24, 1, 8, 8, generator=source)
    network = models.build("small-cnn", image=(1, 8, 8), classes=10, mean=torch.zeros(1), std=torch.ones(1), seed=1)
    labels = network.eval()(images).argmax(1)

    def result(attack, graphs, around=lambda network: network):
        monkeypatch.setattr("tune_reg.evaluation.attacks.graphs_for", lambda device: graphs)
        monkeypatch.setattr("tune_reg.evaluation.attacks.CW_STEPS", 20)
        return attack(around(network), images, labels)

    return result


@pytest.mark.parametrize(
    "attack",
    [
        lambda *given: fast_gradient(*given, [k / 100 for k in range(14)]),
        lambda *given: pgd(*given, [0.01, 0.03, 0.1]),
        lambda *given: pgd(*given, [0.1, 0.5], norm="l2"),
        carlini_wagner,
        deepfool,  # it keeps the gradients of several classes
    ],
    ids=["fgsm", "pgd-linf", "pgd-l2", "cw-l2", "deepfool-l2"],
)
def test_replayed_passes_find_what_eager_ones_find(attacked, attack):
    graphs = Recorded()
    eager, replayed = attacked(attack, None), attacked(attack, graphs)
    assert graphs.captured == 1
    assert graphs.replayed >= 1
    assert replayed.equal(eager)
    assert float(eager.double().mean()) > 0


def test_without_a_graph_passes_are_eager_and_one_line_says_so(attacked):
    class Neither(Refusing):
        def differentiable(self, function, sample):
            raise RuntimeError("CUDA error: operation not permitted")

    eager = attacked(lambda *given: pgd(*given, [0.03, 0.1]), None)
    with pytest.warns(RuntimeWarning, match=r"no CUDA graph of the passes of this attack \(CUDA error") as caught:
        fallen = attacked(lambda *given: pgd(*given, [0.03, 0.1]), Neither())
    assert len(caught) == 1
    assert fallen.equal(eager)


def test_a_replay_that_differs_is_not_used():
    class Wrong(Recorded):
        def differentiable(self, function, sample):
            return lambda images: function(images) * 1.1

    model = CapturedModel(nn.Linear(3, 2).eval(), Wrong())
    images = torch.rand(4, 3, requires_grad=True)
    for _ in range(EAGER_PASSES):
        model(images)
    with pytest.warns(RuntimeWarning, match="its replay differs"):
        outputs = model(images)
    assert outputs.equal(model.model(images))


def test_passes_without_a_gradient_and_few_passes_are_eager():
    graphs = Recorded()
    model = CapturedModel(nn.Linear(3, 2).eval(), graphs)
    images = torch.rand(4, 3, requires_grad=True)
    with torch.no_grad():
        for _ in range(2 * EAGER_PASSES):
            model(images)
    for _ in range(EAGER_PASSES):
        model(images)
    assert graphs.captured == 0
    model(images)
    assert graphs.captured == 1

"""Nets that draw from the global generators give the same numbers in any process, and after a resume."""

import io
import random

import numpy as np
import pytest
import torch
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.models import set_dropout
from tune_reg.training import Interrupted, LaneEngine, Run, SerialEngine, TrainingSettings

NETS = """
import random
import numpy as np
import torch
from torch import nn

class Noisy(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layer, self.drop = nn.Linear(inputs, classes), nn.Dropout(0.5)
    def forward(self, x):
        hidden = self.drop(x.flatten(1))
        if self.training:
            hidden = hidden * torch.rand(hidden.shape) * np.random.rand() * random.random()
        return self.layer(hidden)

class Depth(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layer = nn.Linear(inputs, classes)
    def forward(self, x):
        return self.layer(x.flatten(1)) * (random.random() if self.training else 1)

def noisy(c, size, classes):
    return Noisy(c * size[0] * size[1], classes)

def depth(c, size, classes):
    return Depth(c * size[0] * size[1], classes)

def drawn_weights(c, size, classes):
    net = noisy(c, size, classes)
    with torch.no_grad():
        net.layer.weight *= float(np.random.rand()) + random.random()
    return net
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "my_noisy_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    return Run("digits", "my_noisy_nets:drawn_weights", "l1", training=TrainingSettings(epochs=2))


def numbers(engine):
    while not engine.finished:
        engine.train_epoch()
    return [row["train_loss"] for row in engine.history], engine.evaluate("test")


def test_alone_in_any_process_and_after_a_resume(run):
    expected = numbers(SerialEngine(run))
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    engine = SerialEngine(run)
    engine.train_epoch()
    steps = iter(range(3))
    with pytest.raises(Interrupted):
        engine.train_epoch(leave=lambda: next(steps, None) is None)
    resumed = SerialEngine(run)
    buffer = io.BytesIO()
    torch.save(engine.state(), buffer)
    buffer.seek(0)
    resumed.load_state(torch.load(buffer, weights_only=True))
    assert numbers(resumed) == expected
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


@pytest.mark.parametrize("net", ["noisy", "depth"])
def test_such_nets_are_no_lanes(run, net):
    with pytest.raises(StudyError, match=r"lanes: model .*one by one"):
        LaneEngine([Run("digits", f"my_noisy_nets:{net}", "l1", training=TrainingSettings(epochs=1))] * 2)


def test_torchs_own_dropout_gets_the_rate():
    net = nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5))
    set_dropout(net, 0.25, None)
    assert [layer.p for layer in net] == [0.25] * 3

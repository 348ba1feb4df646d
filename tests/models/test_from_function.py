from __future__ import annotations

import sys

import pytest
import torch

from tune_reg.errors import StudyError
from tune_reg.models import build, check, has_dropout, set_dropout, supports_dropout

SOURCE = """
import torch
from torch import nn

from tune_reg.models import Dropout

def dropping(channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), Dropout(), nn.LazyLinear(classes))

def net(channels, image_size, classes):
    return nn.Sequential(nn.BatchNorm2d(channels), nn.Flatten(), nn.LazyLinear(classes), nn.Dropout(0.5))

def plain(channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))

def too_many(channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes + 1))

def failing(channels, image_size, classes):
    return nn.Linear(3, 3)

def broken(channels, image_size, classes):
    raise RuntimeError("no\\nsuch net")

def no_arguments():
    return nn.Flatten()

def no_net(channels, image_size, classes):
    return channels

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module in the folder that the command is called in."""
    (tmp_path / "own_nets.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_nets", None)


def made(name, seed=0):
    return build(name, image=(2, 4, 6), classes=3, mean=torch.full((2,), 0.5), std=torch.full((2,), 0.1), seed=seed)


def test_ones_own_net():
    check("own_nets:net")
    model = made("own_nets:net")
    assert model.training
    assert all(layer.training for layer in model.modules())
    model.eval()
    x = torch.rand(5, 2, 4, 6)
    assert model(x).shape == (5, 3)
    torch.testing.assert_close(model(x), model.net((x - 0.5) / 0.1))
    assert model.net[0].num_batches_tracked == 0, "the trial run leaves no trace"


def test_dropout_is_only_known_once_built():
    assert supports_dropout("own_nets:net")
    assert supports_dropout("own_nets:dropping")
    without, having, torchs = made("own_nets:plain"), made("own_nets:dropping"), made("own_nets:net")
    assert not has_dropout(without)
    assert has_dropout(having)
    assert has_dropout(torchs)
    set_dropout(torchs, 0.25, None)
    assert torchs.net[3].p == 0.25
    with pytest.raises(StudyError, match=r"needs a model with layers of tune_reg.models.Dropout or torch.nn.Dropout"):
        set_dropout(without, 0.5, None)
    set_dropout(without, 0.0, None)
    set_dropout(having, 0.9, torch.Generator().manual_seed(0))
    x = torch.rand(2, 2, 4, 6)
    assert not having(x).equal(having.eval()(x))
    with pytest.raises(StudyError, match="cannot be imported"):
        supports_dropout("own_nets:absent")


def test_a_function_of_the_seed():
    state = torch.get_rng_state()
    first, again, other = (made("own_nets:net", seed).net[2].weight for seed in (1, 1, 2))
    assert torch.get_rng_state().equal(state)
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_nets:too_many", r"must return logits \[B, 3\], got \[2, 4\] for B = 2"),
        ("own_nets:failing", r"failed on images \[2, 2, 4, 6\]"),
        ("own_nets:broken", "the function raised RuntimeError: no such net"),
        ("own_nets:no_arguments", "let the function take `classes`"),
        ("own_nets:no_net", "must return a torch.nn.Module, got a int"),
        ("own_nets:number", "must be a function, got a int"),
        ("own_nets:absent", "cannot be imported .*absent"),
        ("own_net_s:net", "cannot be imported .*No module named"),
        ("own_nets:", "must be package.module:function"),
    ],
)
def test_faults_are_one_clear_line(name, message):
    with pytest.raises(StudyError, match=message) as caught:
        made(name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)

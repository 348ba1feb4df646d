"""What would fail in an hour fails before the start, in one line."""

import random

import numpy as np
import pytest
import torch

from tune_reg.data.catalog import _load
from tune_reg.errors import DataError, StudyError
from tune_reg.execution.preflight import preflight
from tune_reg.regularizers import load_plugin, registry
from tune_reg.study import Study, make_plan

NETS = """
import torch
from torch import nn

def normed(c, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(c * size[0] * size[1], 8), nn.BatchNorm1d(8), nn.Linear(8, classes))

def plain(c, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(c * size[0] * size[1], classes))

def fixed(c, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))

class Pair(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layer = nn.Linear(inputs, classes)
    def forward(self, x):
        out = self.layer(x.flatten(1))
        return (out, out) if self.training else out

def pair(c, size, classes):
    return Pair(c * size[0] * size[1], classes)

def frozen(c, size, classes):
    net = plain(c, size, classes)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net

class Raises(Pair):
    def forward(self, x):
        if self.training:
            raise KeyError("mine")
        return self.layer(x.flatten(1))

def raises(c, size, classes):
    return Raises(c * size[0] * size[1], classes)

class Spare(nn.Module):
    # head is never used, and at_random not in every pass
    def __init__(self, inputs, classes):
        super().__init__()
        self.layer, self.head = nn.Linear(inputs, classes), nn.Linear(inputs, 2)
        self.at_random, self.passes = nn.Linear(inputs, classes), 0
    def forward(self, x):
        x = x.flatten(1)
        self.passes += 1
        return self.layer(x) + self.at_random(x) if self.passes % 2 else self.layer(x)

def spare(c, size, classes):
    return Spare(c * size[0] * size[1], classes)
"""
PLUGIN = """
from search_spaces import SearchSpace, uniform
from tune_reg.regularizers import Hyperparameter, Regularizer, register

class Mine(Regularizer):
    formula = reference = "none"
    hyperparameters = (Hyperparameter("strength", 0.1, "how strong", low=0.0),)
    strength = "strength"
    space = SearchSpace({"strength": uniform(0, 1)})

@register
class EachImage(Mine):
    name = "each-image"
    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        return strengths["strength"] * outputs.square().sum(1)

@register
class Forgets(Mine):
    name = "forgets"
    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        strengths["strength"] * outputs.square().mean()

@register
class Classes(Mine):
    name = "classes"
    def targets(self, targets, strengths, progress):
        return targets.argmax(1).float()

@register
class Narrow(Mine):
    name = "narrow"
    def gradient(self, gradient, parameter, strengths, progress, noise):
        return gradient.mean()

@register
class EachLayer(Mine):
    name = "each-layer"
    def weight_decay(self, strengths, progress):
        return strengths["strength"].repeat(2)

@register
class Sound(Mine):
    name = "sound"
    def penalty(self, inputs, outputs, targets, strengths, progress, noise):
        return strengths["strength"] * outputs.square().mean()
"""
DATA = """
import numpy as np

def arrays(shift=0, classes=4, rng=None):
    rng = rng or np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 4, 4)).astype(np.uint8)
    labels = np.arange(60) % classes + shift
    return images, labels, images[:20], labels[:20]

def from_one():
    return arrays(shift=1)

def moving():
    return arrays(rng=np.random.default_rng())
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_preflight_nets.py").write_text(NETS)
    (tmp_path / "my_preflight_data.py").write_text(DATA)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    _load.cache_clear()


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "my_preflight_plugin.py"
    path.write_text(PLUGIN)
    before = dict(registry._REGISTERED)
    load_plugin(path)
    yield path
    registry._REGISTERED.clear()
    registry._REGISTERED.update(before)


def tried(model="nn-2", *, dataset="digits", methods=("weight-decay",), **keys):
    methods = list(methods) if isinstance(methods, tuple) else methods
    return preflight(make_plan(Study(name="x", dataset=dataset, model=model, regularizers=methods, **keys)))


@pytest.mark.parametrize(
    ("net", "rule"),
    [
        ("fixed", r"the net failed on images \[2, 1, 8, 8\]"),
        ("pair", "must return one tensor of logits .* but returns a tuple"),
        ("frozen", "no parameter can learn|empty parameter list"),
        ("raises", r"KeyError: 'mine' \(.*my_preflight_nets.py:3\d\)"),
    ],
)
def test_a_wrong_net_is_refused_with_what_is_wrong(mine, net, rule):
    with pytest.raises(StudyError, match=rule) as caught:
        tried(f"my_preflight_nets:{net}")
    assert "\n" not in str(caught.value)


def test_a_last_batch_of_one_image_is_refused_where_the_net_cannot_take_it(mine):
    with pytest.raises(StudyError, match=r"last batch of an epoch has 1 image.*other than 52"):
        tried("my_preflight_nets:normed", training={"batch_size": 52})
    tried("my_preflight_nets:normed", training={"batch_size": 64})
    tried("my_preflight_nets:plain", training={"batch_size": 52})


def test_a_last_batch_is_that_of_each_method(mine):
    """Of digits 1197 images are left to train on, and batches of 52 leave one of them over."""

    def own(entry):
        return {"weight-decay": {}, "l1": {"batch_size": entry}}

    for entry in (52, [64, 52]):
        with pytest.raises(StudyError, match=r"has 1 image.*choose a regularizers.l1.batch_size other than 52$"):
            tried("my_preflight_nets:normed", methods=own(entry))
    (note,) = tried("my_preflight_nets:normed", methods=own({"low": 50, "high": 54, "integer": True}))
    assert note.startswith("regularizers.l1.batch_size: with 52 the last batch of an epoch has 1 image")
    assert tried("my_preflight_nets:normed", methods=own([64, 128])) == []
    assert tried("my_preflight_nets:plain", methods=own(52)) == []


def test_the_batch_size_of_a_function_and_of_a_schedule_is_known(mine):
    def space(trial):
        return {"weight_decay": 0.0, "batch_size": trial.suggest_int("batch_size", 51, 52)}

    (note,) = tried("my_preflight_nets:normed", methods={"weight-decay": {"space": space}})
    assert "weight-decay.batch_size: with 52" in note
    halved = {"kind": "piecewise", "boundaries": [0.5], "values": [1, 0.5]}
    with pytest.raises(StudyError, match=r"choose a training.batch_size other than 52"):
        tried("my_preflight_nets:normed", training={"batch_size": 104, "batch_size_schedule": halved})


def test_parameters_that_are_never_used_are_named(mine):
    (note,) = tried("my_preflight_nets:spare")
    assert "the forward pass never uses head.weight, head.bias, so" in note


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ("each-image", r"penalty must return one number, a tensor of shape \[\], but returns \[4\]; take .mean\(\)"),
        ("forgets", "penalty must return a tensor, but returns a NoneType"),
        ("classes", r"targets must return a tensor in the shape of its first argument, \[4, 10\], but returns \[4\]"),
        ("narrow", r"gradient must return a tensor in the shape of its first argument, \[.*\], but returns \[\]"),
        ("each-layer", r"weight_decay must return one number, .* but returns \[2\]"),
        ("l1+each-image", "penalty must return one number"),
    ],
)
def test_a_hook_of_a_plugin_that_returns_a_wrong_shape_is_named(mine, plugin, method, rule):
    with pytest.raises(StudyError, match=rule) as caught:
        tried(methods=["weight-decay", method])
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"regularizers.{method}: ")
    assert f"({plugin}:" in text


def test_a_sound_plugin_passes(mine, plugin):
    assert tried(methods=["sound", ["l1", "sound"]]) == []


def test_dropout_needs_a_layer_that_drops(mine):
    with pytest.raises(StudyError, match=r"regularizers.dropout: dropout at rate"):
        tried("my_preflight_nets:plain", methods=["weight-decay", "dropout"])


def test_labels_with_a_gap_are_refused(mine):
    with pytest.raises(DataError, match="class 0 has no image to train on"):
        tried(dataset="my_preflight_data:from_one", training={"batch_size": 10})


def test_data_that_differ_from_call_to_call_are_refused(mine):
    with pytest.raises(DataError, match="second call gave others"):
        tried(dataset="my_preflight_data:moving", training={"batch_size": 10})


def test_more_images_a_class_than_the_smallest_class_has_left_are_refused():
    with pytest.raises(DataError, match="images_per_class must be <= 116"):
        tried(images_per_class=[118])


def test_data_that_are_not_at_hand_are_said_and_not_fetched(tmp_path):
    study = Study(name="x", dataset="cifar10", model="nn-2", regularizers=["l1"])
    (note,) = preflight(make_plan(study), tmp_path)
    assert "not at hand" in note


def test_the_global_generators_are_left_as_they_were(mine):
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    tried("my_preflight_nets:plain")
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before

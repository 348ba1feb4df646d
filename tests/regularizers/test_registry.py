import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces import SearchSpace, uniform
from tune_reg.errors import TuneRegError
from tune_reg.regularizers import Hyperparameter, Regularizer, register, registry, regularizer, regularizers

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """What a test registers is forgotten after it."""
    regularizers()
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))


def make(**changes):
    body = {
        "name": "mine",
        "formula": "g <- g + c w",
        "reference": "@misc{mine,\n}",
        "hyperparameters": (Hyperparameter("c", 0.1, "how much", low=0.0, off=0.0),),
        "strength": "c",
        "space": SearchSpace({"c": uniform(0, 1)}),
        **changes,
    }
    return type("Mine", (Regularizer,), {key: value for key, value in body.items() if value is not None})


def test_a_registered_class_is_found_by_its_name_among_the_others():
    mine = register(make())
    assert regularizer("mine") is mine
    names = list(regularizers())
    assert names == sorted(names)
    assert {"adadecay", "mine", "residual-smoothing", "weight-decay"} <= set(names)


def test_registering_again_is_no_error_but_taking_a_name_is():
    first = register(make())
    again = register(make())
    assert first is not again
    assert regularizer("mine") is again
    with pytest.raises(TuneRegError, match=r"register\(Mine\): the name 'adadecay' belongs to .*AdaDecayRegularizer"):
        register(make(name="adadecay"))


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({"formula": None}, "the class lacks formula"),
        ({"reference": None, "space": None}, "the class lacks reference, space"),
        ({"strength": "d"}, "the class has strength 'd', which is none of its hyperparameters ['c']"),
        (
            {"space": SearchSpace({"c": 1.0, "d": uniform(0, 1)})},
            "the class has a space over ['d'], which are none of its hyperparameters ['c']",
        ),
    ],
)
def test_an_incomplete_class_is_refused(changes, lack):
    with pytest.raises(TuneRegError, match=f"^{re.escape('register(Mine): ' + lack)}$"):
        register(make(**changes))
    assert "mine" not in regularizers()


@pytest.mark.parametrize("wrong", ["adadeacy", "ada_decay", "AdaDecay"])
def test_the_nearest_name_is_suggested(wrong):
    with pytest.raises(TuneRegError, match=f"^unknown regularizer '{wrong}'; did you mean 'adadecay'[?] known: adadec"):
        regularizer(wrong)


def test_hooks_that_are_not_filled_are_known_and_not_callable():
    mine = make()
    assert not any(mine.fills(hook) for hook in ("inputs", "loss", "weight_decay", "gradient"))
    filled = type("Filled", (mine,), {"loss": lambda self, *_: 0})
    assert filled.fills("loss")
    assert not filled.fills("gradient")
    for hook in ("weight_decay", "loss", "gradient", "inputs"):
        with pytest.raises(NotImplementedError):
            getattr(mine(), hook)(*[None] * {"weight_decay": 2, "gradient": 5}.get(hook, 4))


def test_choices_are_those_given_over_the_defaults():
    made = regularizer("residual-smoothing")(variant="global")
    assert made.choices["variant"] == "global"
    assert made.choices["annealing"] == "laplace"
    assert make()().choices == {}


def test_off_and_bounds():
    assert regularizer("adadecay").off() == {"weight_decay": 0.0, "alpha": 4.0, "mode": "coupled"}
    assert regularizer("weight-decay").hyperparameter("alpha") is None
    assert Hyperparameter("x", 0.0, "x").bounds == "(-inf, inf)"
    assert Hyperparameter("x", 0.5, "x", low=0, high=1).bounds == "[0, 1]"


def test_an_installed_package_brings_its_own_by_an_entry_point(tmp_path):
    (tmp_path / "a_package.py").write_text((ROOT / "examples" / "gradient_noise.py").read_text())
    information = tmp_path / "a_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[tune_reg.regularizers]\nmine = a_package\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "tune_reg.cli", "list", "regularizers"]
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "gradient-noise" in listed.stdout
    without = {**environment, "PYTHONPATH": str(ROOT)}
    listed = subprocess.run(command, env=without, capture_output=True, text=True, timeout=120, check=True)
    assert "gradient-noise" not in listed.stdout


def test_the_page_that_says_which_for_what_has_every_regularizer_once_with_its_cost():
    page = Path(__file__).parents[2] / "docs" / "which-regularizer.md"
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| (\d+\.\d\d) \|", page.read_text(), re.MULTILINE)
    ours = [name for name, kind in regularizers().items() if kind.__module__.startswith("tune_reg.")]
    assert sorted(name for name, _ in rows) == ours

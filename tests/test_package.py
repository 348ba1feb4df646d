import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tune_reg
from tune_reg.data import from_arrays

#: The public names, which others build on.
PUBLIC = {
    "AdaDecay",
    "AdaDecayTrainable",
    "GradientPenalty",
    "Hyperparameter",
    "Progress",
    "Regularizer",
    "ResidualSmoothingLoss",
    "ResidualSmoothingTrainable",
    "Results",
    "SparseGradientSGD",
    "Study",
    "TrainerRun",
    "TuneRegError",
    "WeightDecayTrainable",
    "load",
    "register",
    "schedules",
    "trainable_for",
}
ROOT = Path(__file__).parents[1]


def test_the_public_names_are_there():
    assert set(dir(tune_reg)) == PUBLIC | {"__version__", "data"}
    for name in dir(tune_reg):
        thing = getattr(tune_reg, name)
        assert thing is not None
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__name__ == name


def test_type_checkers_see_the_names_that_are_imported_at_run_time():
    """``tune_reg/__init__.py`` has the names twice: for type checkers, and with their modules for run time."""
    tree = ast.parse((ROOT / "tune_reg" / "__init__.py").read_text(encoding="utf-8"))
    (for_checkers,) = [
        node for node in tree.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    seen = {
        alias.name: f"{node.module}.{alias.name}" if node.module == "tune_reg" else node.module
        for node in for_checkers.body
        for alias in node.names
    }
    assert seen == tune_reg._MODULES
    assert set(tune_reg.__all__) == {*seen, "__version__"}


def test_a_data_set_of_ones_own_needs_no_further_import():
    assert tune_reg.data.from_arrays is from_arrays


#: A user's file, with the words that mypy says of each line that is wrong.
USERS_FILE = """
import tune_reg
from tune_reg import AdaDecay, Study, load
from tune_reg.store import TrialRow
from torch import nn


class Net(nn.Module):
    pass


study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], training={"epochs": 3})
best: dict[str, object] = study.run("out").best("l1")
rows = load("out").final()
optimizer = AdaDecay([], lr=0.1, weight_decay=5e-4, alpha=4.0)
arrays = tune_reg.data.from_arrays
AdaDecay([], lr=0.1, weight_deca=1.0)  # Unexpected keyword argument "weight_deca" for "AdaDecay"
Study(nam="x")  # Unexpected keyword argument "nam" for "Study"
Study(name="x", dataset=([[1.0]], [0]), model=lambda inputs, classes: Net(), regularizers=["l1"], plugins="p.py")
network: Net = study.run("out", plugins="p.py").model("l1", 1)  # Incompatible types in assignment
settings: dict[str, object] = load("out").settings()
page = load("out").report() / "x"
Study(name="x", dataset="digits", model=Net, regularizers=["l1"]).check()
Study(name="x", dataset=3, model=Net, regularizers=["l1"])  # Argument "dataset" to "Study" has incompatible type "int"
bad: int = study.run("d")  # Incompatible types in assignment
Study(name="x", dataset="digits", model=Net, regularizers=["l1"], tracking=["mlflo"])  # List item 0 has incompatible
tune_reg.AdaDeacy  # Module has no attribute "AdaDeacy"
study.run("d", adress="auto")  # Unexpected keyword argument "adress" for "run"


def accuracy(row: TrialRow) -> float | None:
    return row["valeu"]  # TypedDict "TrialRow" has no key "valeu"
"""


def test_mypy_finds_the_mistakes_of_a_users_file(tmp_path):
    path = tmp_path / "users_file.py"
    path.write_text(USERS_FILE)
    settings = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, str(path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    errors = [line.split(": error: ") for line in done.stdout.splitlines() if ": error: " in line]
    found = {int(place.rpartition(":")[2]): text for place, text in errors}
    expected = {
        number: line.partition("  # ")[2]
        for number, line in enumerate(USERS_FILE.splitlines(), start=1)
        if "  # " in line
    }
    assert found.keys() == expected.keys(), done.stdout + done.stderr
    for number, words in expected.items():
        assert found[number].startswith(words)


def test_the_call_that_type_checkers_see_has_every_key_of_a_study():
    tree = ast.parse((ROOT / "tune_reg" / "api.py").read_text(encoding="utf-8"))
    init = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    seen = {argument.arg for argument in init.args.kwonlyargs}
    assert seen == {*tune_reg.Study.model_fields, "plugins"}
    required = [
        argument.arg
        for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
        if default is None
    ]
    assert required == [name for name, field in tune_reg.Study.model_fields.items() if field.is_required()]


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tune_reg' has no attribute 'AdaDeacy'"):
        tune_reg.AdaDeacy  # noqa: B018
    with pytest.raises(ImportError):
        from tune_reg import AdaDeacy  # noqa: F401


def test_signatures_are_as_fixed():
    assert str(inspect.signature(tune_reg.AdaDecay.__init__)).startswith("(self, params")
    assert {
        name: p.default
        for name, p in inspect.signature(tune_reg.AdaDecay).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    } == {"momentum": 0.0, "weight_decay": 0.0, "alpha": 4.0, "mode": "coupled"}
    assert list(inspect.signature(tune_reg.AdaDecay).parameters)[:2] == ["params", "lr"]
    parameters = inspect.signature(tune_reg.ResidualSmoothingLoss).parameters
    assert next(iter(parameters)) == "total_steps"
    assert {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "annealing": "laplace",
        "mu": 0.75,
        "b": 0.5,
        "alpha": 1.0,
        "scale": 1.0,
        "output": "softmax",
        "orientation": "row",
    }


def loaded_by(code):
    """The modules of a fresh interpreter after ``code``, run with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code", ["import tune_reg", "import tune_reg; dir(tune_reg); tune_reg.load", "import search_spaces"]
)
def test_importing_is_light(code):
    assert not loaded_by(code) & {"torch", "ray", "optuna"}


def test_the_drop_in_pieces_need_neither_ray_nor_optuna():
    loaded = loaded_by("from tune_reg import AdaDecay, ResidualSmoothingLoss, Study, schedules")
    assert "torch" in loaded
    assert not loaded & {"ray", "optuna"}

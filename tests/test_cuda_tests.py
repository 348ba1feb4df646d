"""``pytest -m cuda`` runs on a machine that was lent for its GPU: it imports nothing that may be missing there."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import cuda_tests
import pytest

ROOT = Path(__file__).parents[1]
RUN_WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import pytest
sys.exit(pytest.main(["-p", "no:cacheprovider", "-m", "cuda", *sys.argv[1:]]))
"""


def missing_modules():
    """Modules of the packages that this project and its tests want, beside those that such a machine has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.match(r"[\w-]+", text)[0].lower() for text in wanted if isinstance(text, str)}
    names -= set(cuda_tests.PACKAGES)
    return {module for module, packages in packages_distributions().items() if names & {p.lower() for p in packages}}


def run_without(missing, *arguments):
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", RUN_WITHOUT.format(missing=missing), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)


def test_tests_for_a_gpu_need_few_packages():
    missing = missing_modules()
    assert {"ray", "optuna", "foolbox", "typer", "rich", "sklearn", "matplotlib"} <= missing
    assert not {"torch", "pydantic", "numpy"} & missing
    done = run_without(missing, "-rs")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    counts = re.search(r"^(\d+) skipped", done.stdout, re.MULTILINE)
    assert counts, done.stdout
    assert int(counts[1]) > 50
    assert "no CUDA device" in done.stdout


def test_a_test_for_a_gpu_that_imports_ray_is_found(tmp_path):
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text("import pytest\nimport ray\n\n\n@pytest.mark.cuda\ndef test_wrong():\n    pass\n")
    done = run_without({"ray"}, str(wrong))
    assert done.returncode != 0
    assert "ModuleNotFoundError: ray" in done.stdout


@pytest.mark.parametrize(
    ("expression", "only"),
    [("cuda", True), ("cuda and not slow", True), ("", False), ("not cuda", False), ("cuda or ray", False)],
)
def test_which_expressions_select_nothing_else(expression, only):
    assert cuda_tests.only(expression) == only


def test_a_file_that_is_no_text_is_left_out(tmp_path):
    (tmp_path / "core").write_bytes(b"\x7fELF\xa4")
    assert cuda_tests.OnlyTheirFiles().pytest_ignore_collect(tmp_path / "core")
    assert cuda_tests.OnlyTheirFiles().pytest_ignore_collect(tmp_path)

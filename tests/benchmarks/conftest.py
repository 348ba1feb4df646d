import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: The programs; folders that begin with an underscore are their parts.
PROGRAMS = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


def pytest_generate_tests(metafunc):
    """A test with the argument ``each_program`` runs once for each benchmark."""
    if "each_program" in metafunc.fixturenames:
        metafunc.parametrize("each_program", PROGRAMS)


@pytest.fixture
def folder():
    """The folder of the benchmarks."""
    return BENCHMARKS


@pytest.fixture
def module(monkeypatch):
    """Import a file of the benchmarks, which are scripts and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def main(module, monkeypatch, tmp_path):
    """Call a benchmark in this process, in an empty folder. It must leave its own folder as it is."""

    def call(program, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{program}.py"])
        before = contents()
        try:
            module(program).main([str(argument) for argument in arguments])
        finally:
            assert contents() == before, f"{program} writes into the folder of the benchmarks"

    return call


def contents():
    """Time of change of each file of the benchmarks."""
    files = (path for path in BENCHMARKS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in files}

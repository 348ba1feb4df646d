"""Tests that need a CUDA device, on a machine that was lent for it and has few packages.

``pytest -m cuda`` reads only the files in which tests carry that marker. Those may import the packages below and their
dependencies, but not Ray, Optuna or foolbox.
"""

from pathlib import Path

#: torch, numpy, pyarrow and pytest are there; the others are small enough to be carried as wheels.
PACKAGES = ("cloudpickle", "filelock", "numpy", "platformdirs", "pyarrow", "pydantic", "pytest", "torch")


def only(expression: str) -> bool:
    """Whether the expression after ``-m`` selects tests that need a CUDA device and no others."""
    words = expression.split()
    return words[:1] == ["cuda"] and "or" not in words


class OnlyTheirFiles:
    """A plugin of pytest that leaves out files in which no test has the marker, and folders without such a file.

    It does so before they are imported, and before the conftest.py of a folder is.
    """

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        files = collection_path.rglob("test_*.py") if collection_path.is_dir() else [collection_path]
        # As bytes: other files lie beside the tests, as a picture or what a crash leaves.
        return not any(b"mark.cuda" in file.read_bytes() for file in files if file.is_file()) or None

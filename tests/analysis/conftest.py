"""Synthetic studies to read, and what makes others."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import analysis
from tune_reg.store import load


def _synthetic_studies() -> None:
    # Tests are no package, so the package beside this file is imported by its path.
    folder = Path(__file__).parent / "synthetic_studies"
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[folder.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_synthetic_studies()

from synthetic_studies import parts, rich, small, writing  # noqa: E402

from analysis.exports import figure_files  # noqa: E402


def write_study(directory: Path, parts: list[parts.Part], **changes: Any) -> Path:
    """Write the small study, or one that differs from it."""
    return writing.write_parts(directory, parts, **{"study": small.STUDY, "provenance": small.PROVENANCE, **changes})


@pytest.fixture
def without_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without PDF and PNG, which take half of the time."""
    monkeypatch.setattr(figure_files, "pdf", lambda *_: b"")
    monkeypatch.setattr(figure_files, "png", lambda _: b"")


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole small study; read it, do not write to it."""
    return write_study(tmp_path_factory.mktemp("study"), small.parts_of())


@pytest.fixture(scope="session", name="rich")
def rich_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rich study; read it, do not write to it."""
    return rich.write_rich(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="session")
def data(directory: Path) -> analysis.Snapshot:
    """The small study, read once."""
    return analysis.Snapshot(load(directory))


@pytest.fixture(scope="session")
def rich_data(rich: Path) -> analysis.Snapshot:
    """The rich study, read once."""
    return analysis.Snapshot(load(rich))


@pytest.fixture(scope="session")
def expected_data(tmp_path_factory: pytest.TempPathFactory) -> analysis.Snapshot:
    """The rich study with what a model of final values expects of its trials, read once."""
    return analysis.Snapshot(load(rich.write_rich(tmp_path_factory.mktemp("expected"), rich.expected_parts())))


@pytest.fixture(scope="session")
def lab() -> SimpleNamespace:
    """What makes synthetic studies; tests are no package, so they cannot import it."""
    return SimpleNamespace(
        parts_of=small.parts_of,
        write_study=write_study,
        changed=parts.changed,
        rich_parts=rich.rich_parts,
        expected_parts=rich.expected_parts,
        write_rich=rich.write_rich,
        rich_methods=rich.RICH_METHODS,
        rich_study=rich.RICH_STUDY,
        study=small.STUDY,
        provenance=small.PROVENANCE,
        methods=small.METHODS,
        baseline=parts.BASELINE,
        diverged=parts.DIVERGED,
    )


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., Any]:
    """A function that takes the one panel of a figure whose fields have given values."""

    def only(numbers: Any, **fields: Any) -> Any:
        (panel,) = [p for p in numbers.panels if all(getattr(p, name) == value for name, value in fields.items())]
        return panel

    return only


@pytest.fixture(scope="session")
def response_of() -> Callable[..., Any]:
    """A function that takes the response to one hyperparameter of one search."""

    def only(data: analysis.Snapshot, name: str, parameter: str, fraction: float = 1.0) -> analysis.Response:
        (response,) = [
            each
            for each in analysis.responses(data)
            if (each.optimum.regularizer, each.optimum.parameter, each.optimum.fraction) == (name, parameter, fraction)
        ]
        return response

    return only


@pytest.fixture(scope="session")
def robustness_rows() -> Callable[..., Any]:
    """A function that takes the robustness rows of one run on all data whose columns have given values."""

    def rows(data: analysis.Snapshot, name: str, seed: int, **columns: Any) -> list[Any]:
        return [
            row
            for row in data.robustness
            if (row["regularizer"], row["seed"], row["fraction"], row["search_fraction"]) == (name, seed, 1.0, 1.0)
            and all(row[key] == value for key, value in columns.items())
        ]

    return rows

"""What the tests of pages share."""

import importlib.util
from pathlib import Path
from typing import Any


def _synthetic() -> Any:
    # Tests are no package, so what makes synthetic studies is loaded by its path.
    path = Path(__file__).parents[1] / "analysis" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lab = _synthetic().lab

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))  # for the package generator, as docs/conf.py does it


@pytest.fixture(scope="session")
def docs():
    """The folder of the pages."""
    return DOCS

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def examples():
    """The folder of the examples."""
    return Path(__file__).parents[2] / "examples"

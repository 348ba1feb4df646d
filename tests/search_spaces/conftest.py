import pytest

from search_spaces import SearchSpace, choice, integer, loguniform, uniform


@pytest.fixture(scope="session")
def every_domain():
    """A search space with a domain of every kind, and a fixed value."""
    return SearchSpace(
        {
            "u": uniform(-1, 8),
            "l": loguniform(1e-6, 1e-1),
            "i": integer(1, 3),
            "j": integer(1, 64, log=True),
            "c": choice(["laplace", "logistic"]),
            "fixed": 0.5,
        }
    )

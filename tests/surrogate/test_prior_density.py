"""The log density of the priors of a space."""

import pytest

from search_spaces import Prior, SearchSpace, choice, loguniform, uniform
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.unit_cube import UnitCube

SPACE = SearchSpace({"decay": loguniform(1e-5, 1e-1), "rate": uniform(0.0, 1.0), "mode": choice(["a", "b"])}).expecting(
    {"decay": Prior(1e-3, 10), "rate": Prior(0.5, 0.1)}
)


def test_it_is_the_sum_of_squares_over_what_has_a_prior():
    density = PriorDensity(SPACE, UnitCube(SPACE))
    assert density.log({"decay": 1e-2, "rate": 0.6, "mode": "a"}) == pytest.approx(-1.0)
    assert density.log({"decay": 1e-3, "mode": "b"}) == pytest.approx(0.0)


def test_it_has_a_floor_and_can_be_switched_off():
    far = {"decay": 1e-5, "rate": 1.0, "mode": "a"}
    assert PriorDensity(SPACE, UnitCube(SPACE)).log(far) == -4.0
    assert PriorDensity(SPACE, UnitCube(SPACE), prior=False).log(far) == 0.0

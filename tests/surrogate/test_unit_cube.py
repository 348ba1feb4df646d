"""Configurations as points of a cube and back, over ranges, logarithms, integers, choices and conditions."""

import itertools
import math

import numpy as np
import pytest

from search_spaces import SearchSpace, choice, integer, loguniform, uniform, when
from search_spaces.domains import Float, Integer
from search_spaces.priors import Prior
from tune_reg.surrogate.unit_cube import UnitCube

SPACE = SearchSpace(
    {
        "strength": loguniform(1e-6, 1e-1),
        "alpha": uniform(-1, 8),
        "k": integer(1, 4),
        "warmup": Integer(1, 1000, log=True),
        "mode": choice(["laplace", "constant", "step"]),
        "b": when(uniform(0.1, 1.0), mode="laplace"),
        "momentum": 0.9,
    }
)
CUBE = UnitCube(SPACE)


def test_every_point_is_a_configuration_of_the_space_and_is_found_again():
    for point in np.random.default_rng(0).random((300, CUBE.dims)):
        params = CUBE.params(point)
        assert ("b" in params) == (params["mode"] == "laplace")
        assert params["momentum"] == 0.9
        assert all(SPACE.domains[name].contains(params[name]) for name in params if name in SPACE.domains)
        again = CUBE.params(CUBE.point(params))
        assert again == {name: pytest.approx(v) if isinstance(v, float) else v for name, v in params.items()}


def test_the_corners_are_the_ends_of_the_ranges():
    low, high = CUBE.values(np.zeros(CUBE.dims)), CUBE.values(np.ones(CUBE.dims))
    for name, domain in SPACE.domains.items():
        if isinstance(domain, Float | Integer):
            assert (low[name], high[name]) == pytest.approx((domain.low, domain.high))
        else:
            assert (low[name], high[name]) == (domain.values[0], domain.values[-1])


@pytest.mark.parametrize(
    "domain", [integer(1, 4), integer(-3, 3), integer(0, 1), integer(5, 5), Integer(1, 9, log=True)]
)
def test_every_integer_is_found_again(domain):
    cube = UnitCube(SearchSpace({"k": domain}))
    for k in range(domain.low, domain.high + 1):
        point = cube.point({"k": k})
        assert 0 <= point[0] <= 1
        assert cube.params(point) == {"k": k}
        assert type(cube.params(point)["k"]) is int


def test_integers_and_choices_divide_a_coordinate_evenly():
    cube = UnitCube(SearchSpace({"k": integer(1, 4), "mode": choice(["a", "b", "c"])}))
    points = (np.arange(1200) + 0.5) / 1200
    for name, count in (("k", 4), ("mode", 3)):
        found = [cube.params(np.array([point, point]))[name] for point in points]
        assert [len(list(group)) for _, group in itertools.groupby(found)] == [1200 // count] * count


def test_the_middle_of_a_logarithm_is_the_geometric_mean():
    cube = UnitCube(SearchSpace({"strength": loguniform(1e-6, 1e-2)}))
    assert cube.params(np.array([0.5]))["strength"] == pytest.approx(1e-4)
    assert cube.point({"strength": 1e-5}) == pytest.approx([0.25])


def test_what_is_not_in_use_stands_in_the_middle_of_points_and_features():
    params = CUBE.params(np.array([0.2, 0.3, 0.4, 0.5, 0.9, 0.99]))
    assert "b" not in params
    assert CUBE.point(params)[-1] == 0.5
    assert CUBE.features(params)[-1] == 0.5
    # Where it counts for nothing, it makes no difference.
    other = CUBE.params(np.array([0.2, 0.3, 0.4, 0.5, 0.9, 0.01]))
    assert CUBE.features(params).tolist() == CUBE.features(other).tolist()


def test_any_two_values_of_a_choice_are_equally_far_apart():
    cube = UnitCube(SearchSpace({"x": uniform(0, 1), "mode": choice(["a", "b", "c"])}))
    features = [cube.features({"x": 0.5, "mode": mode}) for mode in "abc"]
    distances = [math.dist(a, b) for a, b in itertools.combinations(features, 2)]
    assert distances == pytest.approx([1.0] * 3)
    assert cube.groups.tolist() == [0, 1, 1, 1]


def test_every_feature_belongs_to_a_hyperparameter():
    assert len(CUBE.features(CUBE.params(np.full(CUBE.dims, 0.5)))) == len(CUBE.groups)
    assert sorted(set(CUBE.groups.tolist())) == list(range(CUBE.dims))


@pytest.mark.parametrize(
    ("domain", "prior", "centre", "width"),
    [
        (loguniform(1e-6, 1e-2), Prior(1e-4, 10), 0.5, 0.25),
        (uniform(-1, 3), Prior(0, 2), 0.25, 0.5),
        (uniform(0, 1), Prior(7, 1), 1.0, 1.0),  # usual values that this space leaves out: its nearest end
        (uniform(2, 2), Prior(2, 1), 0.5, 1.0),
    ],
)
def test_a_prior_is_a_mean_and_a_deviation_of_its_coordinate(domain, prior, centre, width):
    assert UnitCube(SearchSpace({"x": domain})).prior("x", prior) == pytest.approx((centre, width))


def test_a_space_without_hyperparameters_is_a_point():
    cube = UnitCube(SearchSpace({"momentum": 0.9}))
    assert (cube.dims, cube.params(np.zeros(0)), len(cube.groups)) == (0, {"momentum": 0.9}, 0)

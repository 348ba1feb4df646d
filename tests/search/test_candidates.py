"""The configurations that a search looks at: what comes first, what stands around the best, and that draws repeat."""

import numpy as np
import pytest

from search_spaces import Prior, SearchSpace, choice, integer, loguniform, uniform, when
from tune_reg.search.candidates import Candidates

SPACE = SearchSpace(
    {
        "decay": loguniform(1e-6, 1e-2),
        "alpha": uniform(0, 8),
        "mode": choice(["laplace", "constant"]),
        "b": when(uniform(0.0, 1.0), mode="laplace"),
        "momentum": 0.9,
    },
    start=[{"decay": 5e-4, "mode": "laplace", "b": 0.25}, {"alpha": 1.0}],
    priors={"decay": Prior(1e-4, 10), "alpha": Prior(4.0, 1.0), "b": Prior(0.5, 0.1)},
)
LINE = SearchSpace({"decay": loguniform(1e-6, 1e-2)}, start=[{"decay": 1e-4}], priors={"decay": Prior(1e-4, 10)})


def candidates(space=SPACE, *, seed=0, name="a at 1", trials=24, prior=True):
    return Candidates(space, name, seed=seed, trials=trials, prior=prior)


def test_starting_points_come_first_and_the_usual_values_next():
    made = candidates()
    middle = {"decay": pytest.approx(1e-4), "alpha": pytest.approx(4.0), "mode": "constant", "momentum": 0.9}
    assert made.first(0) == {**middle, "decay": 5e-4, "mode": "laplace", "b": 0.25}
    assert made.first(1) == {**middle, "alpha": 1.0}
    assert made.first(2) == middle
    assert made.first(3) not in [made.first(number) for number in range(3)]


def test_usual_values_that_are_a_starting_point_are_not_tried_twice():
    made = candidates(LINE)
    assert made.first(0) == {"decay": 1e-4}
    assert made.first(1)["decay"] != pytest.approx(1e-4)


def test_without_priors_the_middle_is_usual_and_draws_cover_the_space():
    made = candidates(prior=False)
    assert made.first(2)["decay"] == pytest.approx(1e-4)
    drawn = np.array([made.cube.point(made.first(number))[:2] for number in range(3, 60)])
    assert np.all(drawn.min(axis=0) < 0.1)
    assert np.all(drawn.max(axis=0) > 0.9)
    assert made.log_prior(made.first(40)) == 0.0


def test_with_priors_draws_stand_around_what_is_usual():
    made = candidates()
    alphas = np.array([made.first(number)["alpha"] for number in range(3, 100)])
    assert alphas.mean() == pytest.approx(4.0, abs=0.3)
    assert alphas.std() == pytest.approx(1.0, abs=0.25)


def test_draws_repeat_themselves_and_differ_by_seed_and_task():
    def all_of(made):
        best = {"decay": 1e-3, "alpha": 2.0, "mode": "constant", "momentum": 0.9}
        around = made.around(best, 17, [])
        return [made.first(number) for number in range(40)], around[0], around[1].tolist(), around[2].tolist()

    same, again = all_of(candidates()), all_of(candidates())
    assert same == again
    for other in (all_of(candidates(seed=1)), all_of(candidates(name="b at 1"))):
        assert other[0][:3] == same[0][:3]
        assert all(a != b for a, b in zip(other[0][3:], same[0][3:], strict=True))
        assert other[1] != same[1]


def test_there_is_a_first_configuration_of_every_number():
    made = candidates()
    assert all(SPACE.complete(made.first(number)) == made.first(number) for number in (127, 128, 1000))


@pytest.mark.parametrize(
    ("space", "trials", "expected"), [(SPACE, 24, 4), (SPACE, 7, 3), (LINE, 24, 3), (LINE, 1, 1), (SPACE, 2, 1)]
)
def test_dimensions_and_two_are_trained_to_the_end_but_four_and_half_of_the_trials_at_most(space, trials, expected):
    assert candidates(space, trials=trials).first_to_the_end == expected


def test_candidates_are_configurations_and_their_features_and_priors_are_theirs():
    made = candidates()
    known = [{"decay": 7e-6, "alpha": 7.0, "mode": "constant", "momentum": 0.9}]
    params, features, prior = made.around(made.first(0), 5, known)
    assert len(params) == len(features) == len(prior)
    for configuration, row, log_density in zip(params, features, prior, strict=True):
        assert SPACE.complete(configuration) == configuration
        assert row.tolist() == made.cube.features(configuration).tolist()
        assert log_density == made.log_prior(configuration)
    assert known[0] in params


def test_some_candidates_are_neighbours_of_the_best():
    made = candidates()
    best = {"decay": 1e-3, "alpha": 1.0, "mode": "laplace", "b": 0.9, "momentum": 0.9}
    others, around = made.around(made.first(0), 5, [])[0], made.around(best, 5, [])[0]
    near = [params for params in around if params not in others]
    distances = np.abs([made.cube.point(params) - made.cube.point(best) for params in near])
    assert len(near) > 20
    assert np.median(distances[:, :2]) < 0.1
    assert {params["mode"] for params in near} == {"laplace", "constant"}  # choices are drawn anew now and then


def test_of_one_hyperparameter_the_whole_range_is_looked_at_evenly():
    params, features, _ = candidates(LINE).around({"decay": 1e-4}, 3, [])
    assert np.diff(features[:, 0]) == pytest.approx(np.full(len(params) - 1, 1 / (len(params) - 1)))
    assert (params[0]["decay"], params[-1]["decay"]) == pytest.approx((1e-6, 1e-2))


def test_the_log_prior_is_that_of_the_names_in_use_and_has_a_floor():
    made = candidates()
    usual = {"decay": 1e-4, "alpha": 4.0, "mode": "laplace", "b": 0.5, "momentum": 0.9}
    assert made.log_prior(usual) == pytest.approx(0.0)
    assert made.log_prior({**usual, "decay": 1e-3}) == pytest.approx(-0.5)
    assert made.log_prior({**usual, "alpha": 5.0, "decay": 1e-5}) == pytest.approx(-1.0)
    assert made.log_prior({**usual, "alpha": 8.0}) == -4.0
    without = {name: value for name, value in usual.items() if name != "b"}
    assert made.log_prior({**without, "mode": "constant"}) == pytest.approx(0.0)


def test_integers_have_priors_too():
    space = SearchSpace({"k": integer(1, 64, log=True), "x": uniform(0, 1)}, priors={"k": Prior(8, 2)})
    drawn = [candidates(space).first(number)["k"] for number in range(60)]
    assert np.exp(np.mean(np.log(drawn))) == pytest.approx(8, rel=0.3)
    assert all(isinstance(k, int) for k in drawn)

from types import SimpleNamespace

import numpy as np
import pytest

import analysis
from analysis.measures.search.tuning import (
    BAND_COVERS,
    Search,
    _scores,
    at_budgets,
    best_so_far,
    resampled_best,
    timed_tuning_points,
)
from tune_reg.store import ACCURACY, Metric, load


def test_band_is_that_of_drawing_with_replacement():
    # Of k draws with replacement, the best is at most the i-th of n ordered values with probability (i / n) ** k.
    values = np.random.default_rng(3).permutation(np.linspace(0.5, 0.9, 20))
    budgets = np.array([1.0, 5.0, 15.0])
    middle, low, high = resampled_best(np.ones(20), values, budgets)
    ordered = np.sort(values)
    for place, k in enumerate((1, 5, 15)):
        at_most = (np.arange(1, 21) / 20) ** k
        for quantile, share in ((low, 0.025), (middle, 0.5), (high, 0.975)):
            rank = int(np.searchsorted(ordered, quantile[place] - 1e-12))
            below = at_most[rank - 1] if rank else 0.0
            # 400 resamples: four standard errors of the share.
            slack = 4 * np.sqrt(share * (1 - share) / 400)
            assert below - slack <= share <= at_most[rank] + slack


def test_best_so_far_by_hand(rich):
    data = analysis.Snapshot(load(rich))
    rows = [row for row in data.trials if (row["regularizer"], row["fraction"]) == ("adadecay", 1.0)]
    points = [point for point in analysis.tuning_points(data)[1.0] if point.regularizer == "adadecay"]
    for point in points:
        spent, best, finished = 0, None, 0
        for row in rows:
            spent += row["epochs_trained"]
            if spent > point.epochs:
                break
            finished += 1
            if row["state"] == "complete":
                best = max(row["value"], best or 0.0)
        assert (point.trials, point.best) == (finished, best)
    assert points[-1].epochs == sum(row["epochs_trained"] for row in rows)


def test_unfinished_trials_cost_and_give_nothing():
    costs, values = np.array([2.0, 3.0, 1.0]), np.array([-np.inf, 0.7, -np.inf])
    trials, best = best_so_far(costs, values, np.array([2.0, 4.0, 5.0, 9.0]))
    assert trials.tolist() == [1, 1, 2, 3]
    assert best.tolist() == [-np.inf, -np.inf, 0.7, 0.7]
    (point,) = at_budgets(Search("a", 1.0, costs, np.full(3, -np.inf)), np.array([6.0]))
    assert (point.best, point.median, point.low, point.high) == (None, None, None, None)


def test_equal_budgets_are_those_that_every_search_spent(rich):
    data = analysis.Snapshot(load(rich))
    spent = {}
    for row in data.trials:
        if row["fraction"] == 1.0:
            spent[row["regularizer"]] = spent.get(row["regularizer"], 0) + row["epochs_trained"]
    budgets = sorted({point.epochs for point in analysis.equal_budgets(data)[1.0]})
    assert budgets == [min(spent.values()) // 4, min(spent.values()) // 2, min(spent.values())]
    for budget in budgets:
        assert sum(point.epochs == budget for point in analysis.equal_budgets(data)[1.0]) == 3


def test_the_same_twice(rich):
    first, second = (analysis.tuning_points(load(rich)) for _ in range(2))
    assert first == second


def test_a_trial_that_costs_nothing_is_no_error():
    middle, low, high = resampled_best(np.zeros(3), np.array([0.1, 0.2, 0.3]), np.array([0.0]))
    assert middle[0] == pytest.approx(0.3)
    assert low[0] <= high[0]


def test_the_band_covers_another_random_search_as_seldom_as_it_is_said_to():
    rng = np.random.default_rng(5)
    n, repeats = 16, 150
    budgets = np.array([share * n for share in BAND_COVERS])
    inside = np.zeros(len(budgets))
    for _ in range(repeats):
        _, low, high = resampled_best(np.ones(n), rng.normal(size=n), budgets)
        _, best = best_so_far(np.ones(n), rng.normal(size=n), budgets)
        inside += (low <= best) & (best <= high)
    stated = np.array(list(BAND_COVERS.values())) / 100
    # Three standard errors, and what the kinds of values differ by.
    assert np.abs(inside / repeats - stated).max() < 3 * np.sqrt(0.25 / repeats) + 0.03


def test_trials_count_with_what_is_expected_of_them():
    rows = [{"trial": 0, "state": "complete", "value": 0.9}, {"trial": 1, "state": "pruned", "value": 0.7}]
    data = SimpleNamespace(metric=ACCURACY)
    assert _scores(data, rows, {}) == [0.9, -np.inf]
    assert _scores(data, rows, {0: 0.85, 1: 0.86}) == [0.85, 0.86]
    assert _scores(SimpleNamespace(metric=Metric("rmse", "minimize")), rows, {}) == [-0.9, -np.inf]
    assert _scores(data, rows, {1: 0.86}) == [-np.inf, 0.86], "the model expects nothing of it"


def test_budgets_can_be_of_seconds():
    search = Search("a", 1.0, np.array([2.0, 3.0]), np.array([0.6, 0.7]), np.array([10.0, 5.0]))
    points = at_budgets(search, np.array([9.0, 12.0, 15.0]), timed=True)
    assert [(p.seconds, p.epochs, p.trials, p.best) for p in points] == [
        (9.0, 0, 0, None),
        (12.0, 2, 1, 0.6),
        (15.0, 5, 2, 0.7),
    ]
    points = at_budgets(search, np.array([2.0, 5.0]))
    assert [(p.seconds, p.epochs) for p in points] == [(10.0, 2), (15.0, 5)]


def test_timed_curves_spend_all_seconds_of_the_search(rich):
    data = analysis.Snapshot(load(rich))
    spent = sum(row["wall_s"] for row in data.trials if (row["regularizer"], row["fraction"]) == ("adadecay", 1.0))
    points = [point for point in timed_tuning_points(data)[1.0] if point.regularizer == "adadecay"]
    assert points[-1].seconds == pytest.approx(spent)
    whole = [point for point in analysis.tuning_points(data)[1.0] if point.regularizer == "adadecay"]
    assert (points[-1].best, points[-1].trials) == (whole[-1].best, whole[-1].trials)

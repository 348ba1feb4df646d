"""Looks at paired differences: which decision they come to, beside scipy and by simulation."""

import math
import re

import numpy as np
import pytest
from scipy import stats

import analysis
from tune_reg.decisions import (
    LOOKS,
    MethodDecision,
    decisions,
    difference_floor,
    looks_at,
    nominal_levels,
    seeds_wanted,
)


def normal(seed, n=20, mean=0.0, deviation=0.005):
    return np.random.default_rng(seed).normal(mean, deviation, n)


def family_error(methods, studies, draw, **settings):
    """The share of studies without any difference in which a method is called better or worse."""
    rng = np.random.default_rng(methods)
    wrong = 0
    for _ in range(studies):
        rows = decisions({f"m{i}": values for i, values in enumerate(draw(rng, methods))}, **settings)
        wrong += any(row.decision in ("superior", "inferior") for row in rows)
    return wrong / studies


def sharing_a_baseline(rng, methods):
    return rng.normal(0, 0.005, (methods, 20)) - rng.normal(0, 0.005, 20)


def on_few_images(rng, methods):
    runs = np.round(rng.normal(0.9713, 0.003, (methods + 1, 20)) * 360) / 360
    return runs[1:] - runs[0]


def test_it_is_what_people_import():
    assert analysis.decisions is decisions


@pytest.mark.parametrize("mean", [0.03, -0.03])
def test_the_row_is_of_the_look_that_decides_with_its_interval(mean):
    values = normal(0, mean=mean)
    (row,) = decisions({"l1": values})
    interval = stats.ttest_1samp(values[:5], 0).confidence_interval(1 - 0.0180)
    assert (row.method, row.n) == ("l1", 5)
    assert (row.estimate, row.low, row.high) == pytest.approx((values[:5].mean(), *interval))
    assert row.decision == ("superior" if mean > 0 else "inferior")


def test_a_method_stops_at_the_look_that_decides_whatever_comes_after():
    values = [*normal(0, 8, mean=0.02), *normal(1, 12, mean=-1.0)]
    rows = [decisions({"l1": values[:n]})[0] for n in (8, 12, 20)]
    assert rows[0].decision == "superior"
    assert rows == [rows[0]] * 3


def test_undecided_is_looked_at_as_far_as_there_are_seeds():
    values = [0.01, -0.01] * 10
    assert [decisions({"l1": values[:n]})[0].n for n in (5, 7, 8, 11, 12, 19, 20)] == [5, 5, 8, 8, 12, 12, 20]
    assert {decisions({"l1": values[:n]})[0].decision for n in range(21)} == {"undecided"}
    assert decisions({"l1": [*values, *[9.0] * 30]}) == decisions({"l1": values}), "nothing after the last look counts"


def test_before_the_first_look_there_is_no_interval():
    assert decisions({"l1": [0.1, 0.3]}) == [MethodDecision("l1", 2, 0.2, -math.inf, math.inf, "undecided")]
    (row,) = decisions({"l1": []})
    assert (row.n, row.decision) == (0, "undecided")
    assert math.isnan(row.estimate)
    assert decisions({}) == []


def test_equivalent_is_inside_the_margin_and_better_comes_first():
    values = normal(3, deviation=0.001)
    assert decisions({"l1": values}, margin=0.005)[0].decision == "equivalent"
    assert decisions({"l1": values})[0].decision == "undecided"
    assert decisions({"l1": values / 10 + 0.003}, margin=0.01)[0].decision == "superior"
    assert decisions({"l1": values / 10 - 0.003}, margin=0.01)[0].decision == "inferior"
    assert decisions({"l1": values * 30}, margin=0.005)[0].decision == "undecided"


def test_equal_accuracies_on_few_images_have_an_interval_of_the_floor():
    (row,) = decisions({"l1": [0.0] * 5}, test_images=360, margin=0.01)
    half = stats.t.isf(0.0180 / 2, 4) * math.sqrt(difference_floor(360) / 5)
    assert (row.low, row.high) == pytest.approx((-half, half))
    assert row.decision == "equivalent"
    (row,) = decisions({"l1": [0.01] * 5})
    assert (row.low, row.high, row.decision) == (-math.inf, math.inf, "undecided"), "no interval of zero width"


def test_a_seed_without_a_pair_counts_as_trained_and_has_no_difference():
    values = [0.01, math.nan, 0.012, 0.011, 0.013, 0.5]
    (row,) = decisions({"l1": values})
    assert row == decisions({"l1": [values[0], None, *values[2:]]})[0]
    assert row.n == 4
    assert row.estimate == pytest.approx(np.mean([0.01, 0.012, 0.011, 0.013]))


def test_a_look_without_any_pair_is_the_last_one():
    looks = looks_at([math.nan] * 20, methods=1)
    assert [(look.look, look.n, look.decision) for look in looks] == [(1, 0, "undecided")]
    assert [look.n for look in looks_at([*[math.nan] * 4, 0.1, *[0.2, 0.1] * 2], methods=1)] == [1, 4]


def test_the_order_of_the_methods_changes_nothing():
    differences = {name: normal(i, mean=0.004 * i) for i, name in enumerate(("l1", "l2", "dropout"))}
    rows = {row.method: row for row in decisions(differences, 1000, 0.002)}
    turned = decisions(dict(reversed(differences.items())), 1000, 0.002)
    assert [row.method for row in turned] == ["dropout", "l2", "l1"]
    assert {row.method: row for row in turned} == rows


def test_looks_of_ones_own_have_levels_of_their_own():
    values = normal(1, 10)
    (row,) = decisions({"l1": values}, looks=(10,))
    assert (row.low, row.high) == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval(0.95)))
    rows = decisions({"l1": values, "l2": values}, looks=np.array([4, 10]))
    levels = nominal_levels((4, 10), 2)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(1 - levels[1])
    assert [(row.low, row.high) for row in rows] == [(pytest.approx(low), pytest.approx(high))] * 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (([0.1, 0.2],), "differences: must be a mapping of methods to arrays, but got list"),
        (({"l1": 0.1},), "differences of l1: must be one number a seed, but have 0 dimensions"),
        (({"l1": [[0.1], [0.2]]},), "differences of l1: must be one number a seed, but have 2 dimensions"),
        (({"l1": ["a"]},), "differences of l1: must be numbers, but got ['a']"),
        (
            ({"l1": [0.1, math.inf]},),
            "differences of l1: must be finite, or NaN for a seed without a pair, but got inf",
        ),
        (({"l1": [0.1]}, 0), "test_images: must be a whole number of at least 1, or None, but got 0"),
        (({"l1": [0.1]}, 10.5), "test_images: must be a whole number of at least 1, or None, but got 10.5"),
        (({"l1": [0.1]}, None, 0.0), "margin: must be a finite number above 0, or None, but got 0.0"),
        (({"l1": [0.1]}, None, math.nan), "margin: must be a finite number above 0, or None, but got nan"),
        (({"l1": [0.1]}, None, "1 %"), "margin: must be a finite number above 0, or None, but got '1 %'"),
        (({"l1": [0.1]}, None, None, (5, 5)), "looks: must be rising whole numbers of at least 2, but got (5, 5)"),
        (({"l1": [0.1]}, None, None, (1, 5)), "looks: must be rising whole numbers of at least 2, but got (1, 5)"),
        (({"l1": [0.1]}, None, None, ()), "looks: must be rising whole numbers of at least 2, but got ()"),
        (({"l1": [0.1]}, None, None, 20), "looks: must be rising whole numbers of at least 2, but got 20"),
    ],
)
def test_what_cannot_be_meant_is_one_line(arguments, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        decisions(*arguments)


@pytest.mark.parametrize("methods", [1, 3, 7])
def test_a_study_without_differences_is_wrong_in_at_most_five_of_a_hundred(methods):
    studies = 3000
    error = 3 * math.sqrt(0.05 * 0.95 / studies)
    assert family_error(methods, studies, sharing_a_baseline) < 0.05 + error


def test_so_does_one_with_few_test_images():
    studies = 2000
    assert family_error(3, studies, on_few_images, test_images=360) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize(("effect", "methods", "seeds"), [(4, 2, 5.0), (2, 2, 6.8), (2, 7, 8.6), (1, 2, 13.7)], ids=str)
def test_seeds_until_decided(effect, methods, seeds):
    """In units of the standard deviation of the paired differences; one of ``methods`` methods."""
    values = np.random.default_rng(effect).normal(effect, 1, (3000, LOOKS[-1]))
    taken = [looks_at(row, methods=methods)[-1].n for row in values]
    assert np.mean(taken) == pytest.approx(seeds, abs=3 * np.std(taken) / math.sqrt(len(taken)) + 0.05)


def test_how_many_seeds_a_look_asks_for():
    assert [seeds_wanted(look, 5, "undecided") for look in range(1, 5)] == [8, 12, 20, 20]
    assert [seeds_wanted(look, 5, "equivalent") for look in range(1, 5)] == [5, 8, 12, 20]
    assert seeds_wanted(2, 0, "undecided") == 8
    assert seeds_wanted(1, 5, "undecided", (10,)) == 10

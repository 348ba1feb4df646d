"""The parts of the study of claims: each rule is measured, and a wrong one would be seen."""

import numpy as np
import pytest


def test_coverage_is_measured_of_every_rule(module):
    rows = list(module("_claims.coverage").coverage(studies=40))
    rules = {row.rule for row in rows}
    assert {"mean of accuracies", "paired difference", "with the luck of two searches", "effect size d"} <= rules
    assert {"median", "share of better pairs", "images worth", "finite test set (Wilson)"} <= rules
    for row in rows:
        if row.told and row.noise != "one bad run in ten" and row.seeds > 2:
            assert row.covers > 0.8, row
    (bad,) = [row.covers for row in rows if (row.noise, row.seeds) == ("one bad run in ten", 10)]
    assert bad < 0.9


def test_level_and_power_are_measured_of_every_rule(module):
    rows = list(module("_claims.families").families(studies=6))
    assert {row.rule for row in rows} == {"primary first", "t, Holm over all", "sign flips, Holm over all"}
    null = [row for row in rows if not row.differ and row.rule == "primary first" and row.noise == "normal"]
    assert all(row.false < 0.5 for row in null)
    power = {(row.rule, row.differ, row.seeds): row.primary for row in rows if row.differ}
    assert power["primary first", 3, 8] == pytest.approx(1, abs=0.3)
    assert power["sign flips, Holm over all", 3, 5] == 0


def test_confirmed_runs_of_a_table_have_seeds_that_no_search_has_seen(module):
    """The seeds of the searches are left out; the others come in one order for both arms."""
    table_study = module("_claims.table_study")
    studies = table_study.table_studies(2)["digits_dropout, dropout"]
    problem, unit = studies[0].problem, np.array([0.3])
    in_order = problem.test_accuracies(unit)[np.random.default_rng(1).permutation(12)]
    confirmed = studies[1].confirmed(unit, 0, table_study.CONFIRMED)
    assert confirmed.tolist() == studies[1].confirmed(unit, 1, table_study.CONFIRMED).tolist() == in_order[3:9].tolist()
    curves = [studies[1].training(unit, replay=replay, number=0, seed=0).tolist() for replay in (2, 3)]
    assert curves[0] == curves[1], "both searches of a study see the same seeds"
    assert curves[0] != studies[0].training(unit, replay=2, number=0, seed=0).tolist()


def test_two_methods_are_trained_on_the_same_seeds(module):
    """A table of twelve seeds and one of nine: the twelve are cut to those that both have."""
    table_study = module("_claims.table_study")
    studies, *_ = table_study.pairs_of_methods(3)
    for dropout, double_backprop in studies:
        assert dropout._order.tolist() == double_backprop._order.tolist()
        assert sorted(dropout._order) == list(range(9))
        assert [study.problem.seeds for study in (dropout, double_backprop)] == [12, 9]
    difference, error = table_study.true_difference(*(study.problem for study in studies[0]))
    assert 100 * difference == pytest.approx(-0.278, abs=0.001)
    assert 100 * error == pytest.approx(0.236, abs=0.001)


def test_claims_of_two_methods_are_right_where_they_have_the_sign_of_the_truth(module, monkeypatch):
    two_methods = module("_claims.two_methods")
    searched = module("_claims.same_method_twice").Searched(
        np.array([0.5]), module("tune_reg.surrogate.regret").Regret(0.001, 0.0001), 0.0
    )
    monkeypatch.setattr(two_methods, "searched", lambda *_: searched)

    class Study:
        test_images, problem = 10_000, None

        def __init__(self, accuracies):
            self.accuracies = np.array(accuracies)

        def confirmed(self, unit, arm, seeds):
            return self.accuracies[:seeds]

    better, worse = Study([0.91, 0.92, 0.93, 0.915, 0.925, 0.93]), Study([0.90, 0.911, 0.92, 0.906, 0.914, 0.921])
    for truth, right, covers in ((0.009, 1, 1), (-0.009, 0, 0)):
        monkeypatch.setattr(two_methods, "true_difference", lambda *_, truth=truth: (truth, 0.001))
        row = two_methods.measured([(better, worse)] * 2, "default")
        assert (row["right"], row["wrong"], row["covers"]) == (right, 1 - right, covers)
    nothing_known = searched._replace(regret=searched.regret._replace(deviation=0.02))
    monkeypatch.setattr(two_methods, "searched", lambda *_: nothing_known)
    row = two_methods.measured([(better, worse)], "default")
    assert (row["right"], row["wrong"], row["wrong_alone"]) == (0, 0, 1)


def test_a_gain_that_luck_cannot_explain_is_claimed_and_one_that_it_can_is_not(module, monkeypatch):
    twice = module("_claims.same_method_twice")
    regret = module("tune_reg.surrogate.regret").Regret

    class Study:
        test_images = 10_000

        def __init__(self, differences):
            self.differences = np.array(differences)

        def confirmed(self, unit, arm, seeds):
            return self.differences[:seeds] * (arm == 0)

    def row(deviation, differences):
        search = twice.Searched(np.array([1.0]), regret(0.002, deviation), 0.0)
        monkeypatch.setattr(twice, "searched", lambda *_: search)
        return twice.measured([twice.searched_twice(Study(differences), 0, "default", [6])], [6])[0]

    near_nothing = [0.0001, -0.0002, 0.0002, -0.0001, 0.0003, -0.0003]
    assert row(0.001, near_nothing)["gain_claimed"] == 1
    assert row(0.01, near_nothing)["gain_claimed"] == 0
    better = [value + 0.004 for value in near_nothing]
    assert row(0.001, better)["false_claims"] == 1
    assert row(0.01, better)["false_claims"] == 0
    assert row(0.01, better)["without_regret"] == 1

"""The parts of the study of claims: each rule is measured, and a wrong one would be seen."""

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

"""How much each hyperparameter matters by itself, against the variances of a known surface."""

import math
import random

import numpy as np
import pytest

import analysis
from tune_reg.store import load


def shares_of(tmp_path, lab, value, trials):
    def change(row):
        return {
            **row,
            "state": "complete",
            "epochs_trained": 6,
            "value": value({"decay": 1e-3, "alpha": 0.0, **row["params"]}),
        }

    parts = [part for part in lab.changed(lab.rich_parts(trials=trials), "trials", change) if part[0] == "trials"]
    rows = analysis.importances(load(lab.write_rich(tmp_path, parts)))
    return {row.parameter: row for row in rows if (row.regularizer, row.fraction) == ("adadecay", 1.0)}


def test_shares_are_those_of_the_surface(tmp_path, lab):
    """The surface is a sum of straight lines in the units of the space: variances are in the ratio of their squares."""

    def value(params):
        units = (math.log10(params["decay"]) + 6) / 5, (params["alpha"] + 1) / 9
        return 0.95 + 0.01 * units[0] + 0.005 * units[1]

    rows = shares_of(tmp_path, lab, value, 40)
    assert rows["decay"].share == pytest.approx(0.8, abs=0.05)
    assert rows["alpha"].share == pytest.approx(0.2, abs=0.05)
    assert rows["learning_rate"].share < 0.02
    assert rows["decay"].swing == pytest.approx(0.01, rel=0.1)
    assert {row.n for row in rows.values()} == {40}


def test_where_nothing_matters_no_hyperparameter_is_said_to(tmp_path, lab):
    rng = random.Random(1)
    rows = shares_of(tmp_path, lab, lambda params: 0.9 + rng.gauss(0, 0.005), 20)
    assert max(row.share for row in rows.values()) < 0.7
    lowest, highest = max(row.low for row in rows.values()), min(row.high for row in rows.values())
    assert lowest < highest  # the intervals overlap
    assert min(row.swing_low for row in rows.values()) < 0.002


def test_what_decides_is_most_important_and_the_interval_says_so(tmp_path, lab):
    rng = random.Random(0)

    def value(params):
        return 0.9 - 0.05 * abs(math.log10(params["decay"]) + 3) + rng.gauss(0, 0.005)

    rows = shares_of(tmp_path, lab, value, 100)
    assert rows["decay"].low > 0.8
    assert max(rows["alpha"].high, rows["learning_rate"].high) < 0.2
    assert all(row.low <= row.share <= row.high for row in rows.values())


def test_a_hyperparameter_that_is_searched_alone_has_none(data):
    searched_alone = {"residual-smoothing", "adadecay"}
    assert not searched_alone & {row.regularizer for row in analysis.importances(data)}
    assert np.isfinite([row.share for row in analysis.importances(data)]).all()

import math
import random

import numpy as np
import optuna
import pytest

import analysis
from analysis.measures.search.importance import TOP
from tune_reg.store import load


def optunas(rows, space, choices):
    """The shares that Optuna gives for the same complete trials."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    distributions = {
        name: optuna.distributions.FloatDistribution(bounds["low"], bounds["high"], log=bounds["log"])
        for name, bounds in space.items()
        if "low" in bounds
    } | {name: optuna.distributions.CategoricalDistribution(values) for name, values in choices.items()}
    for row in rows:
        study.add_trial(
            optuna.trial.create_trial(params=row["params"], distributions=distributions, value=row["value"])
        )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


@pytest.mark.parametrize("name", ["weight-decay", "adadecay", "residual-smoothing"])
def test_shares_are_optunas(rich, lab, name):
    data = analysis.Snapshot(load(rich))
    rows = [
        row for row in data.trials if (row["regularizer"], row["fraction"], row["state"]) == (name, 0.3, "complete")
    ]
    space = lab.rich_methods[name]["space"]
    choices = {key: bounds["choices"] for key, bounds in space.items() if "choices" in bounds}
    expected = optunas(rows, space, choices)
    importances = {
        row.parameter: row for row in analysis.importances(data) if (row.regularizer, row.fraction) == (name, 0.3)
    }
    assert {key: row.share for key, row in importances.items()} == pytest.approx(expected, abs=1e-6)
    assert {row.n for row in importances.values()} == {len(rows)}
    assert sum(row.share for row in importances.values()) == pytest.approx(1)


def test_what_decides_is_most_important_and_the_interval_says_so(tmp_path, lab):
    rng = random.Random(0)

    def decide(row):
        # A tenth of the noise that the strength makes.
        value = 0.9 - 0.05 * abs(math.log10(row["params"].get("decay", 1e-3)) + 3) + rng.gauss(0, 0.005)
        return {**row, "state": "complete", "value": value}

    parts = lab.changed(lab.rich_parts(trials=150), "trials", decide)
    importances = [
        row
        for row in analysis.importances(load(lab.write_rich(tmp_path, parts)))
        if (row.regularizer, row.fraction) == ("adadecay", 1.0)
    ]
    shares = {row.parameter: row for row in importances}
    assert shares["decay"].low > 0.8
    assert max(shares["alpha"].high, shares["learning_rate"].high) < 0.2
    assert all(row.low <= row.high for row in importances)


def test_few_trials_have_none(directory):
    assert analysis.importances(load(directory)) == ()


def test_top_quarter_is_a_quarter():
    assert np.ceil(TOP * 20) == 5

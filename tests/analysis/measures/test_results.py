import numpy as np
import pytest

import analysis
from tune_reg.store import load


@pytest.fixture(scope="module")
def rows(directory):
    return {(row.fraction, row.regularizer): row for row in analysis.result_table(load(directory))}


def runs_of(directory, regularizer, fraction):
    return [
        row
        for row in load(directory).final().to_pylist()
        if row["regularizer"] == regularizer and row["fraction"] == fraction
    ]


def test_baseline_comes_first_then_the_studys_order(directory, lab):
    names = [row.regularizer for row in analysis.result_table(load(directory))]
    assert names == 2 * [lab.baseline, "adadecay", "residual-smoothing", lab.diverged]


def test_mean_is_of_the_runs_that_ended(rows, directory):
    row = rows[0.25, "residual-smoothing"]
    runs = runs_of(directory, "residual-smoothing", 0.25)
    ended = [run["test_accuracy"] for run in runs if run["state"] == "complete"]
    assert (row.runs, row.diverged, row.failed) == (4, 1, 0)
    assert row.test_accuracy.mean == pytest.approx(np.mean(ended))
    assert row.test_accuracy.n == row.difference.n == 4
    assert row.test_accuracy.low is not None


def test_difference_is_to_the_baseline_by_seed(rows, directory, lab):
    values = {run["seed"]: run["test_accuracy"] for run in runs_of(directory, "adadecay", 1.0)}
    base = {run["seed"]: run["test_accuracy"] for run in runs_of(directory, lab.baseline, 1.0)}
    assert rows[1.0, "adadecay"].difference.mean == pytest.approx(
        np.mean([values[seed] - base[seed] for seed in values])
    )
    assert rows[1.0, lab.baseline].difference is None


def test_p_is_corrected_within_the_primary_and_the_secondary_comparisons(rows, directory):
    every = analysis.comparisons(load(directory))
    families = [[row.difference for row in every if row.primary is primary] for primary in (True, False)]
    assert [len(family) for family in families] == [2, 6]
    for family in families:
        assert [difference.p_holm for difference in family] == pytest.approx(
            analysis.holm([difference.p for difference in family])
        )
    assert rows[1.0, "adadecay"].difference in families[0]
    assert rows[0.25, "adadecay"].difference in families[1]
    assert {row.family for row in every if row.primary} == {2}


def test_a_number_in_a_diverged_run_stays_out(tmp_path, lab):
    def poison(row):
        return {**row, "test_accuracy": 0.0} if row["state"] == "diverged" else row

    clean = lab.write_study(tmp_path / "clean", lab.parts_of())
    dirty = lab.write_study(tmp_path / "dirty", lab.changed(lab.parts_of(), "final", poison))
    assert analysis.result_table(load(dirty)) == analysis.result_table(load(clean))


def test_edge_of_the_space_is_flagged(rows, lab):
    assert rows[1.0, lab.baseline].edges == {"decay": "high"}
    assert rows[1.0, "adadecay"].edges == {}
    assert rows[1.0, "residual-smoothing"].edges == {"b": "high"}


def test_regularizer_without_confirmed_runs_keeps_its_row(rows, lab):
    row = rows[1.0, lab.diverged]
    assert (row.runs, row.test_accuracy, row.difference) == (0, None, None)


def test_baseline_is_the_studys_first_where_it_names_none(tmp_path, lab):
    study = {key: value for key, value in lab.study.items() if key != "baseline"}
    results = load(lab.write_study(tmp_path, lab.parts_of(), study=study))
    assert analysis.result_table(results)[0].regularizer == "adadecay"


def test_one_seed_has_means_without_intervals(tmp_path, lab):
    parts = lab.changed(lab.parts_of(), "final", lambda row: row if row["seed"] == 0 else None)
    row = analysis.result_table(load(lab.write_study(tmp_path, parts)))[1]
    assert (row.test_accuracy.n, row.test_accuracy.low, row.difference.p_holm) == (1, None, None)

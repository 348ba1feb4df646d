import numpy as np
import pytest

import analysis
from analysis import robustness
from analysis.robustness import Attack, Setting
from analysis.table_sheets import robustness_table, warning_table
from tune_reg.store import load

FULL = Setting(1.0, 1.0)


@pytest.fixture(scope="module")
def data(rich):
    return analysis.Snapshot(load(rich))


def rows_of(data, name, seed, **fields):
    return [
        row
        for row in data.robustness
        if (row["regularizer"], row["seed"], row["fraction"], row["search_fraction"]) == (name, seed, 1.0, 1.0)
        and all(row[key] == value for key, value in fields.items())
    ]


def test_area_is_the_mean_height_of_the_curve(data):
    curve = {row["epsilon"]: row["accuracy"] for row in rows_of(data, "adadecay", 2, test="fgsm")}
    by_hand = (0.02 * (curve[0.0] + curve[0.02]) / 2 + 0.03 * (curve[0.02] + curve[0.05]) / 2) / 0.05
    assert robustness.areas(data)[FULL, Attack("fgsm", "linf")]["adadecay"][2] == pytest.approx(by_hand, rel=1e-12)


def test_a_run_without_all_epsilons_has_no_area(tmp_path, lab):
    def drop(row):
        return None if (row["seed"], row.get("epsilon"), row["test"]) == (3, 0.05, "fgsm") else row

    results = load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "robustness", drop)))
    found = robustness.areas(results)
    assert set(found[FULL, Attack("fgsm", "linf")]["adadecay"]) == set(range(8)) - {3}
    assert set(found[FULL, Attack("pgd-linf", "linf")]["adadecay"]) == set(range(8))


def test_clean_rows_are_no_attack(data):
    assert {attack.test for _, attack in robustness.areas(data)} == {"fgsm", "pgd-linf", "cw-l2"}
    assert {panel.test for panel in analysis.attack_strength(data).panels} == {"fgsm", "pgd-linf", "cw-l2"}


def test_median_distance_is_of_the_attacks_that_look_for_it(data):
    found = robustness.distances(data)
    assert {attack.test for _, attack in found} == {"cw-l2"}
    assert found[FULL, Attack("cw-l2", "l2")]["adadecay"][4] == pytest.approx(1.04)


def mce(data, name, relative):
    """Hendrycks and Dietterich (2019), equations in section 4.2, for each seed."""
    values = []
    for seed in range(8):
        ratios = []
        for test in ("jpeg", "contrast"):
            errors = []
            for who in (name, data.baseline):
                (clean,) = rows_of(data, who, seed, test="clean")
                found = [1 - row["accuracy"] for row in rows_of(data, who, seed, test=test)]
                errors.append(sum(found) - (5 * (1 - clean["accuracy"]) if relative else 0))
            ratios.append(errors[0] / errors[1])
        values.append(np.mean(ratios))
    return np.mean(values)


@pytest.mark.parametrize("name", ["adadecay", "residual-smoothing", "weight-decay"])
def test_mean_corruption_error_is_relative_to_the_baseline(data, name):
    (row,) = [row for row in robustness.corruption_rows(data) if row[:3] == (1.0, 1.0, name)]
    assert row.mce.mean == pytest.approx(mce(data, name, relative=False))
    assert row.relative_mce.mean == pytest.approx(mce(data, name, relative=True))
    assert (row.corruptions, row.accuracy.n, row.mce.n) == (2, 8, 8)


def test_a_baseline_without_errors_has_no_ratio(tmp_path, lab):
    def perfect(row):
        return {**row, "accuracy": 1.0} if row["test"] == "jpeg" and row["regularizer"] == lab.baseline else row

    results = load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "robustness", perfect)))
    (row,) = [row for row in robustness.corruption_rows(results) if row[:3] == (1.0, 1.0, "adadecay")]
    (cell,) = [c for c in robustness.corruption_cells(results) if c[:4] == (1.0, 1.0, "contrast", "adadecay")]
    (base,) = [c for c in robustness.corruption_cells(results) if c[:4] == (1.0, 1.0, "contrast", lab.baseline)]
    assert row.mce.mean == pytest.approx((1 - cell.accuracy) / (1 - base.accuracy), rel=0.01)


def test_warnings_are_counted_and_shown(data):
    found = [row for row in robustness.warnings(data) if (row.fraction, row.search_fraction) == FULL]
    assert [(row.regularizer, row.test, row.epsilon, row.runs, row.of) for row in found] == [
        ("residual-smoothing", "pgd-linf", 0.05, 3, 8)
    ]
    assert "masked" in warning_table(data).rows[0][-1]
    notes = {row[2]: row[-1] for row in robustness_table(data).rows if row[:2] == ("100 % of the data", "pgd-linf")}
    assert notes == {"weight-decay": "", "adadecay": "", "residual-smoothing": "warned of in 3 runs"}
    (panel,) = [panel for panel in analysis.attack_strength(data).panels if panel.test == "pgd-linf"]
    assert {(point.regularizer, point.x) for point in panel.points if point.warned} == {("residual-smoothing", 0.05)}


def test_front_is_what_nothing_beats(data):
    for trade in analysis.trades(data):
        for point in trade.points:
            beaten = any(
                other.clean >= point.clean
                and other.robust >= point.robust
                and (other.clean, other.robust) != (point.clean, point.robust)
                for other in trade.points
            )
            assert point.front is not beaten


def test_front_of_resampled_seeds(data):
    trade = next(trade for trade in analysis.trades(data) if (trade.setting, trade.attack.test) == (FULL, "fgsm"))
    shares = {point.regularizer: point.front_share for point in trade.points}
    # adadecay is the most accurate and residual-smoothing the most robust in every resample.
    assert shares["adadecay"] == shares["residual-smoothing"] == 1
    assert shares["weight-decay"] < 0.05


def test_strength_against_robustness_needs_methods_of_fixed_strengths(tmp_path, lab):
    study = {**lab.rich_study, "regularizers": {name: {"regularizer": "weight-decay"} for name in lab.rich_methods}}
    strengths = dict(zip(lab.rich_methods, (1e-4, 1e-3, 1e-2), strict=True))
    parts = lab.rich_parts()
    for table in ("final", "trials"):
        parts = lab.changed(parts, table, lambda row: {**row, "params": {"decay": strengths[row["regularizer"]]}})
    methods = {name: {"strength": "decay"} for name in lab.rich_methods}
    provenance = {**lab.provenance, "regularizers": methods}
    results = load(lab.write_rich(tmp_path, parts, study=study, provenance=provenance))
    numbers = analysis.robust_strength(results)
    panel = next(panel for panel in numbers.panels if panel.test == "fgsm")
    assert (panel.regularizer, panel.scale) == ("weight-decay", "log")
    assert [point.strength for point in panel.points] == 2 * [1e-4, 1e-3, 1e-2]
    assert {point.n for point in panel.points} == {8}
    assert analysis.draw_robust_strength(numbers).axes[0].get_xlabel() == "decay"

import pytest

import analysis
from analysis.measures.accuracy import Setting
from analysis.measures.attacks import Attack
from analysis.tables.attacks import robustness_table, warning_table
from tune_reg.store import load

FULL = Setting(1.0, 1.0)


def test_area_is_the_mean_height_of_the_curve(rich_data, robustness_rows):
    curve = {row["epsilon"]: row["accuracy"] for row in robustness_rows(rich_data, "adadecay", 2, test="fgsm")}
    by_hand = (0.02 * (curve[0.0] + curve[0.02]) / 2 + 0.03 * (curve[0.02] + curve[0.05]) / 2) / 0.05
    assert analysis.areas(rich_data)[FULL, Attack("fgsm", "linf")]["adadecay"][2] == pytest.approx(by_hand, rel=1e-12)


def test_a_run_without_all_epsilons_has_no_area(tmp_path, lab):
    def drop(row):
        return None if (row["seed"], row.get("epsilon"), row["test"]) == (3, 0.05, "fgsm") else row

    results = load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "robustness", drop)))
    measured = analysis.areas(results)
    assert set(measured[FULL, Attack("fgsm", "linf")]["adadecay"]) == set(range(8)) - {3}
    assert set(measured[FULL, Attack("pgd-linf", "linf")]["adadecay"]) == set(range(8))


def test_clean_rows_are_no_attack(rich_data):
    assert {attack.test for _, attack in analysis.areas(rich_data)} == {"fgsm", "pgd-linf", "cw-l2"}
    assert {panel.test for panel in analysis.attack_strength(rich_data).panels} == {"fgsm", "pgd-linf", "cw-l2"}


def test_median_distance_is_of_the_attacks_that_look_for_it(rich_data):
    measured = analysis.distances(rich_data)
    assert {attack.test for _, attack in measured} == {"cw-l2"}
    assert measured[FULL, Attack("cw-l2", "l2")]["adadecay"][4] == pytest.approx(1.04)


def test_warnings_are_counted_and_shown(rich_data):
    measured = [row for row in analysis.warnings(rich_data) if (row.fraction, row.search_fraction) == FULL]
    assert [(row.regularizer, row.test, row.epsilon, row.runs, row.of) for row in measured] == [
        ("residual-smoothing", "pgd-linf", 0.05, 3, 8)
    ]
    assert "masked" in warning_table(rich_data).rows[0][-1]
    notes = {
        row[2]: row[-1] for row in robustness_table(rich_data).rows if row[:2] == ("100 % of the data", "pgd-linf")
    }
    assert notes == {"weight-decay": "", "adadecay": "", "residual-smoothing": "warned of in 3 runs"}
    (panel,) = [panel for panel in analysis.attack_strength(rich_data).panels if panel.test == "pgd-linf"]
    assert {(point.regularizer, point.x) for point in panel.points if point.warned} == {("residual-smoothing", 0.05)}

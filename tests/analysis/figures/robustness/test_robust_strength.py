import analysis
from tune_reg.store import load


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

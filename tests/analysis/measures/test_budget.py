import pytest

import analysis
from tune_reg.store import load


def test_budget_counts_by_state(data, lab, tmp_path):
    rows = {row.regularizer: row for row in analysis.budget(data)}
    assert rows[lab.diverged][1:6] == (24, 0, 0, 24, 0)
    assert rows["adadecay"][1:7] == (24, 16, 8, 0, 0, 2 * (8 * 6 + 4 * 2))
    assert rows["adadecay"].confirm_wall_s == pytest.approx(15)
    searched = rows["adadecay"].search_wall_s
    assert rows["adadecay"][-2:] == (pytest.approx(searched + 15), "core")
    on_gpus = load(lab.write_study(tmp_path, lab.parts_of(), study={**lab.study, "resources": {"gpus": 0.25}}))
    shared = next(row for row in analysis.budget(on_gpus) if row.regularizer == "adadecay")
    assert shared[-2:] == (pytest.approx((searched + 15) / 4), "GPU")

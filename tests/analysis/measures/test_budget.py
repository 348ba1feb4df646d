import json

import pytest

import analysis
from tune_reg.store import load
from tune_reg.store.seal import sealed_json


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


@pytest.mark.parametrize(
    ("used", "part", "device"),
    [({"gpus": 0.5, "lanes": "auto"}, 0.5, "GPU"), ({"gpus": 0.0, "lanes": 1}, 1, "core"), (None, 1, "core")],
)
def test_what_auto_has_become_counts(lab, tmp_path, used, part, device):
    study = {**lab.study, "resources": {"gpus": "auto", "cpus": 1}}
    directory = lab.write_study(tmp_path, lab.parts_of(), study=study)
    if used is not None:
        path = directory / "provenance.json"
        provenance = {**json.loads(path.read_text()), "resources": used}
        path.write_text(sealed_json({key: value for key, value in provenance.items() if key != "sha256"}))
    row = next(row for row in analysis.budget(load(directory)) if row.regularizer == "adadecay")
    assert row.device == device
    assert row.device_s == pytest.approx(part * (row.search_wall_s + row.confirm_wall_s))

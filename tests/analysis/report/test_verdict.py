import analysis
from analysis.report.verdict import verdict
from tune_reg.store import load


def test_verdict_agrees_with_the_claims(tmp_path, lab):
    # With ten paired seeds and a constant gain the difference may be claimed; with the study's five it may not.
    def gain(row):
        return {**row, "test_accuracy": 0.9 + 0.02 * (row["regularizer"] == "adadecay") + 0.001 * row["seed"]}

    few = lab.changed(lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", gain)
    more = [
        (table, f"{key}-more", [gain({**row, "seed": row["seed"] + 5}) for row in rows])
        for table, key, rows in few
        if table == "final"
    ]
    for place, (parts, claimed) in enumerate([(few, False), ([*few, *more], True)]):
        data = load(lab.write_study(tmp_path / str(place), parts))
        judged = verdict(data)
        assert judged.which.startswith("adadecay: 92.")
        assert judged.how_strong == "alpha = 6."
        assert judged.established == claimed
        assert judged.believe.startswith("Yes, " if claimed else "Not yet: ")
        assert any(claim.kind == "may" for claim in analysis.claims(data)) == claimed


def test_verdict_is_never_yes_on_the_test_set(tmp_path, lab):
    parts = lab.parts_of(["adadecay", lab.baseline], [1.0])
    judged = verdict(load(lab.write_study(tmp_path, parts, study={**lab.study, "protocol": "paper"})))
    assert not judged.established
    assert "picked on this very test set" in judged.believe

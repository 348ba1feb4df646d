import html
import re

import numpy as np
import pytest
from scipy import stats

import analysis
from analysis.exports.markdown import escape
from analysis.measures import with_searches
from analysis.report.kinds import CAUTION, MAY, MAY_NOT
from tune_reg.store import load


def sentences(results, kind):
    return [claim.sentence for claim in analysis.claims(results) if claim.kind == kind]


def test_what_is_there_is_claimed_from_five_seeds_and_nothing_else(directory):
    may = sentences(load(directory), MAY)
    primary = [line for line in may if not line.startswith("Secondary: ")]
    assert len(primary) == 1
    assert "with the settings that this search found, adadecay is more accurate than weight-decay: +" in primary[0]
    assert "corrected p" in primary[0]
    # The same gain on less data and under attack, beside the primary claim.
    assert len(may) == 4
    assert all("adadecay is more accurate" in line for line in may)
    unshown = [line for line in sentences(load(directory), MAY_NOT) if "differs from weight-decay: undecided" in line]
    assert len(unshown) == 2  # one a training set
    assert all("that residual-smoothing differs" in line and "adadecay" not in line for line in unshown)
    assert not any(re.search(r"[+-]\d", line) for line in unshown)  # their numbers stand in the table


def noisy(row):
    """A run whose difference to the baseline is by chance: on 100 % of the data alone."""
    chance = 0.1 * ((7 * row["seed"]) % 5 - 2) * (row["regularizer"] == "adadecay") * (row["fraction"] == 1)
    return {**row, "test_accuracy": row["test_accuracy"] + chance} if chance else row


def test_secondary_differences_are_claimed_only_beside_a_primary_one(tmp_path, lab):
    results = load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "final", noisy)))
    rows = {(row.measure, row.fraction, row.regularizer): row for row in analysis.comparisons(results)}
    primary, secondary = rows["test accuracy", 1.0, "adadecay"], rows["test accuracy", 0.25, "adadecay"]
    assert primary.primary
    assert not secondary.primary
    assert secondary.difference.p_holm < 0.05 < primary.difference.p_holm
    assert secondary.decision == "undecided"
    assert sentences(results, MAY) == []
    assert any("passed the correction, but the secondary family" in line for line in sentences(results, MAY_NOT))


@pytest.mark.parametrize(("declared", "measure"), [("fgsm", "mean accuracy over epsilon"), (None, "test accuracy")])
def test_the_study_declares_its_primary_question(tmp_path, lab, declared, measure):
    confirm = {"seeds": 5, **({"primary": declared} if declared else {})}
    results = load(lab.write_study(tmp_path, lab.parts_of(), study={**lab.study, "confirm": confirm}))
    primary = {(row.measure, row.fraction) for row in analysis.comparisons(results) if row.primary}
    assert primary == {(measure, 1.0)}
    assert analysis.comparisons(results)[0].primary


LUCK = (0.004, 0.003)


def with_regrets(monkeypatch, regrets):
    """Reports of whose searches the regrets of the picks are known, by regularizer."""
    monkeypatch.setattr(with_searches, "regret_of", lambda _, name, __: regrets.get(name))


def test_the_luck_of_the_searches_enters_estimate_and_variance(directory, monkeypatch):
    with_regrets(monkeypatch, {"weight-decay": LUCK, "adadecay": (0.001, 0.002)})
    row = analysis.comparisons(load(directory))[0]
    luck, n = row.with_searches, row.difference.n
    variance = (row.difference.high - row.difference.mean) / stats.t.ppf(0.975, n - 1)
    total = np.hypot(np.hypot(variance, 0.003), 0.002)
    assert luck.mean == pytest.approx(row.difference.mean + 0.001 - 0.004)
    assert luck.deviation == pytest.approx(np.hypot(0.003, 0.002))
    degrees = (n - 1) * (total / variance) ** 4
    assert luck.high - luck.mean == pytest.approx(stats.t.ppf(0.975, degrees) * total)
    (line,) = [line for line in sentences(load(directory), MAY) if line.startswith("On ")]
    assert f"with the luck of both searches {100 * luck.mean:+.2f} ({100 * luck.low:+.2f} to " in line


def test_what_the_luck_of_the_searches_may_explain_is_not_claimed(directory, monkeypatch):
    with_regrets(monkeypatch, {"weight-decay": (0.015, 0.01), "adadecay": (0.001, 0.002)})
    results = load(directory)
    row = analysis.comparisons(results)[0]
    assert (row.decision, row.established) == ("superior", False)
    assert sentences(results, MAY) == []
    (line,) = [line for line in sentences(results, MAY_NOT) if "a longer search may change it" in line]
    assert line.startswith("On 100 % of the data, that adadecay is more accurate than weight-decay: with the settings")
    assert "no number of seeds would decide it, as the luck of the searches is larger: more trials would" in line


def test_where_the_luck_is_not_known_the_claim_is_about_the_settings_alone(directory, monkeypatch):
    with_regrets(monkeypatch, {"adadecay": LUCK})
    assert {row.with_searches for row in analysis.comparisons(load(directory))} == {None}
    assert all("this is about these settings alone" in line for line in sentences(load(directory), MAY))


def test_nothing_is_claimed_where_strengths_were_picked_on_the_test_set(tmp_path, lab):
    study = {**lab.study, "protocol": "paper"}
    results = load(lab.write_study(tmp_path, lab.parts_of(), study=study))
    assert sentences(results, MAY) == []
    assert any("picked on this very test set" in line for line in sentences(results, MAY_NOT))


def test_each_claim_is_said_once(written):
    """Neither the verdict nor a caption says again what the list of claims says."""
    page = (written / "report" / "index.html").read_text(encoding="utf-8")
    markdown = (written / "report" / "report.md").read_text(encoding="utf-8")
    lines = sentences(load(written), MAY)
    assert len(lines) == 4
    for line in lines:
        assert page.count(f"<li>{html.escape(line, quote=True).replace('&#x27;', '&#39;')}</li>") == 1
        assert markdown.count(escape(line)) == 1
        difference = re.search(r"[+-][\d.]+ points of [^,]*, [^,]*interval [^,]*", line)[0]
        assert page.count(difference) == markdown.count(difference) == 1


def test_cautions_name_edges_and_losses(directory):
    lines = sentences(load(directory), CAUTION)
    assert any("the best decay lies on the high edge" in line for line in lines)
    assert any("1 confirmed run of 5 diverged" in line for line in lines)


def test_one_seed_claims_nothing(tmp_path, lab):
    parts = lab.changed(lab.parts_of(), "final", lambda row: row if row["seed"] == 0 else None)
    results = load(lab.write_study(tmp_path, parts))
    assert sentences(results, MAY) == []
    assert any("one pair of runs has no spread" in line for line in sentences(results, MAY_NOT))
    assert any("no interval" in line for line in sentences(results, CAUTION))


def test_several_versions_of_the_users_code_are_named(tmp_path, lab):
    def coded(row):
        return {**row, "code": "a" if row["seed"] == 0 or row["regularizer"] != "adadecay" else "b"}

    parts = lab.changed(lab.parts_of(), "final", coded)
    lines = [line for line in sentences(load(lab.write_study(tmp_path, parts)), CAUTION) if "versions of" in line]
    (line,) = lines
    assert line.startswith("adadecay: its runs were trained by 2 versions of the user's code")


def test_unequal_budgets_are_named(tmp_path, lab):
    parts = lab.changed(
        lab.parts_of(), "trials", lambda row: None if (row["regularizer"], row["trial"]) == ("adadecay", 11) else row
    )
    lines = sentences(load(lab.write_study(tmp_path, parts)), CAUTION)
    assert any("did not get the same number of trials" in line and "adadecay 22" in line for line in lines)


def test_a_bad_run_is_named_with_its_seed(tmp_path, lab):
    def bad(row):
        worse = 0.3 * ((row["regularizer"], row["seed"], row["fraction"]) == ("adadecay", 3, 1.0))
        return {**row, "test_accuracy": row["test_accuracy"] - worse} if worse else row

    results = load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "final", bad)))
    assert analysis.comparisons(results)[0].spread == "outlier at seed 3"
    (line,) = [line for line in sentences(results, CAUTION) if "not spread evenly" in line]
    assert "adadecay on 100 % of the data (outlier at seed 3)" in line
    assert any("differences: outlier at seed 3" in row.notes for row in analysis.result_rows(results))


def looks(lab, decision="superior", low=0.012, high=0.03):
    """The small study, confirmed in rounds: adadecay after two looks, residual-smoothing not yet."""
    parts = lab.parts_of()
    run = {name: parts[0][2][0][name] for name in ("study", "dataset", "model", "protocol")}
    for look, each in ((1, ("undecided", -0.001, 0.04)), (2, (decision, low, high))):
        row = {**run, "regularizer": "adadecay", "fraction": 1.0, "search_fraction": 1.0, "measure": "test_accuracy"}
        row |= {"look": look, "n": 5, "methods": 2, "level": 0.0055, "estimate": 0.021}
        parts.append(
            ("decisions", f"look-{look}", [{**row, **dict(zip(("decision", "low", "high"), each, strict=True))}])
        )
    return parts


def test_in_rounds_the_last_look_decides_at_its_level(tmp_path, lab):
    results = load(lab.write_study(tmp_path, looks(lab)))
    decided, other = analysis.comparisons(results)[:2]
    assert (decided.regularizer, decided.decision, decided.established) == ("adadecay", "superior", True)
    assert decided.difference[:4] == (5, 0.021, 0.012, 0.03)
    assert (decided.difference.p_holm, decided.difference.level) == (None, 0.0055)
    assert (other.regularizer, other.decision, other.established) == ("residual-smoothing", "undecided", False)
    line = sentences(results, MAY)[0]
    assert "+2.10 points of test accuracy, 99.45 % interval +1.20 to +3.00, 5 pairs of runs, unadjusted p " in line
    assert "at the nominal level 0.0055" in line
    assert analysis.result_rows(results)[1].p.endswith("(at level 0.0055)")


@pytest.mark.parametrize("confirm", [{"primary": "test_accuracy"}, {}], ids=["declared", "by default"])
def test_before_the_first_look_nothing_is_decided(tmp_path, lab, confirm):
    study = {**lab.study, "confirm": confirm}
    results = load(lab.write_study(tmp_path, lab.parts_of(), study=study))
    row = analysis.comparisons(results)[0]
    assert (row.rounds, row.decision, row.established, row.difference.p_holm) == (True, "undecided", False, None)
    assert row.difference.p < 0.001
    assert sentences(results, MAY) == []
    assert analysis.verdict(results).believe.endswith("and the first look is still to come.")
    assert analysis.result_rows(results)[1].p == "no look yet"


@pytest.mark.parametrize(("margin", "decision"), [(0.05, "equivalent"), (0.002, "undecided")])
def test_with_a_fixed_number_of_seeds_equivalent_is_what_lies_inside_the_margin(tmp_path, lab, margin, decision):
    study = {**lab.study, "confirm": {"seeds": 5, "margin": margin}}
    results = load(lab.write_study(tmp_path, lab.parts_of(), study=study))
    (row,) = [row for row in analysis.comparisons(results) if row.primary and row.regularizer == "residual-smoothing"]
    assert row.decision == decision
    assert any("is as accurate as" in line for line in sentences(results, MAY)) == (decision == "equivalent")


def test_in_rounds_the_luck_of_the_searches_is_judged_at_the_level_of_the_look(tmp_path, lab, monkeypatch):
    with_regrets(monkeypatch, {"weight-decay": (0.0, 0.0075), "adadecay": (0.0, 0.0)})
    results = load(lab.write_study(tmp_path, looks(lab)))
    row = analysis.comparisons(results)[0]
    assert 0.0055 < row.with_searches.p < 0.05
    assert row.with_searches.low < 0 < row.with_searches.high
    assert (row.decision, row.established) == ("superior", False)


@pytest.mark.parametrize("deviation", [0.0, 0.02])
def test_equivalent_within_the_margin_needs_the_luck_of_the_searches_inside_too(tmp_path, lab, monkeypatch, deviation):
    with_regrets(monkeypatch, {"weight-decay": (0.0, deviation), "adadecay": (-0.0195, 0.0)})
    parts = looks(lab, "equivalent", -0.01, 0.045)
    study = {**lab.study, "confirm": {"margin": 0.05}}
    results = load(lab.write_study(tmp_path, parts, study=study))
    lines = [
        line for line in sentences(results, MAY) if "adadecay is as accurate as weight-decay within 5 points" in line
    ]
    assert len(lines) == (deviation == 0)
    if deviation:
        assert any("that adadecay is as accurate as weight-decay: with" in line for line in sentences(results, MAY_NOT))


def test_calibration_is_secondary_and_has_words_of_its_own(tmp_path, lab):
    def calibrated(row):
        error = 0.05 - 0.02 * (row["regularizer"] == "adadecay") + 0.001 * (row["seed"] * 3 % 5)
        return {**row, "test_ece": error if row["state"] == "complete" else None}

    results = load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "final", calibrated)))
    rows = [row for row in analysis.comparisons(results) if row.measure == "calibration"]
    assert len(rows) == 4
    assert not any(row.primary for row in rows)
    assert rows[0].difference.mean == pytest.approx(0.02)
    # Equal differences have no spread, and nothing says how finely calibration is measured.
    assert {row.difference.p for row in rows if row.regularizer == "adadecay"} == {None}

    def noisy_too(row):
        row = calibrated(row)
        off = 0.001 * (row["seed"] % 2) * (row["regularizer"] == "adadecay")
        return row if row["test_ece"] is None else {**row, "test_ece": row["test_ece"] + off}

    results = load(lab.write_study(tmp_path / "noisy", lab.changed(lab.parts_of(), "final", noisy_too)))
    may = [line for line in sentences(results, MAY) if "calibrated" in line]
    assert len(may) == 2
    assert may[0].startswith(
        "Secondary: on 100 % of the data, with the settings that this search found, adadecay is better"
    )
    assert "points of calibration" in may[0]


def test_trials_at_the_best_values_of_other_methods_are_not_counted_among_them(tmp_path, lab):
    shared = {("adadecay", 11), ("weight-decay", 10)}
    parts = lab.changed(
        lab.parts_of(),
        "trials",
        lambda row: {**row, "shared_from": "dropout"} if (row["regularizer"], row["trial"]) in shared else row,
    )
    lines = sentences(load(lab.write_study(tmp_path, parts)), CAUTION)
    assert any("adadecay 22" in line and "weight-decay 22" in line for line in lines)

import re

import pytest

import analysis
from analysis.measures import with_searches
from analysis.report.verdict import verdict
from tune_reg.store import load


def gain_of(points):
    """A change of the runs: a gain of so many points, with a spread of one."""

    def gain(row):
        spread = 0.01 * ((3 * row["seed"]) % 5 - 2) / 1.58
        return {**row, "test_accuracy": 0.9 + (0.01 * points + spread) * (row["regularizer"] == "adadecay")}

    return gain


@pytest.mark.parametrize(("points", "claimed"), [(3.0, True), (0.5, False)])
def test_verdict_agrees_with_the_claims(tmp_path, lab, points, claimed):
    parts = lab.changed(lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", gain_of(points))
    data = load(lab.write_study(tmp_path, parts))
    judged = verdict(data)
    assert judged.which.startswith("adadecay: 9")
    assert judged.how_strong == "alpha = 6."
    assert judged.established == claimed
    assert judged.believe.startswith("Yes, " if claimed else "Not yet: the seeds leave it open")
    assert any(claim.kind == "may" for claim in analysis.claims(data)) == claimed


def without_luck(monkeypatch):
    """Reports of whose searches nothing but the pick was possible."""
    monkeypatch.setattr(with_searches, "regret_of", lambda *_: (0.0, 0.0))


def test_verdict_says_how_many_pairs_would_do(tmp_path, lab, monkeypatch):
    without_luck(monkeypatch)
    parts = lab.changed(lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", gain_of(0.5))
    sentence = verdict(load(lab.write_study(tmp_path, parts))).believe
    pairs = analysis.pairs_needed(0.005, 0.01, 0.05)
    assert sentence.endswith(f"if it is as large as it seems, {pairs} pairs of runs would do in four of five studies.")


def test_verdict_on_a_baseline_names_what_is_nearest_to_a_decision(tmp_path, lab, monkeypatch):
    without_luck(monkeypatch)
    parts = lab.changed(lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", gain_of(-0.5))
    sentence = verdict(load(lab.write_study(tmp_path, parts))).believe
    assert sentence.startswith(
        "No regularizer was shown to differ from the baseline, better or worse. The nearest to it"
    )
    assert "adadecay: the seeds leave it open" in sentence
    assert "pairs of runs would do" in sentence


def tied(row):
    """Accuracies that differ in digits that are not shown."""
    return {**row, "test_accuracy": 0.9 + 1e-6 * (row["regularizer"] == "adadecay")}


def test_ties_are_called_ties(tmp_path, lab):
    parts = lab.changed(lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", tied)
    judged = verdict(load(lab.write_study(tmp_path, parts)))
    assert judged.which.startswith("weight-decay (the baseline) and adadecay are tied: 90.00 % test accuracy")
    assert "adadecay: alpha = 6." in judged.how_strong
    assert not judged.established
    assert judged.believe.startswith("No regularizer was shown to differ from the baseline")


def test_the_verdict_says_no_number_of_the_table(directory):
    """The difference, its interval and p stand in the table beside it, and in the claim."""
    assert not re.search(r"\d", verdict(load(directory)).believe)


def test_verdict_is_never_yes_on_the_test_set(tmp_path, lab):
    parts = lab.parts_of(["adadecay", lab.baseline], [1.0])
    judged = verdict(load(lab.write_study(tmp_path, parts, study={**lab.study, "protocol": "paper"})))
    assert not judged.established
    assert "picked on this very test set" in judged.believe


def test_with_one_seed_each_nothing_is_believed(tmp_path, lab):
    """No difference has a spread then, and none is nearer to a decision than another one."""

    def one(row):
        best = 0.05 * (row["regularizer"] == lab.baseline)
        return {**row, "test_accuracy": 0.9 + best} if row["seed"] == 1 else None

    parts = lab.changed(lab.parts_of(), "final", one)
    judged = verdict(load(lab.write_study(tmp_path, parts)))
    assert not judged.established
    assert judged.believe.startswith("No regularizer was shown to differ from the baseline")

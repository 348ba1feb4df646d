"""What the searches expect of their winners, in a table and wherever else a winner is named."""

import pytest

import analysis
from analysis.report.cautions import unequal_searches
from analysis.tables.search.winners import winner_table
from tune_reg.store import load


def test_each_search_has_its_winner_with_what_was_seen_and_what_is_expected(expected_data):
    numbers = winner_table(expected_data).numbers
    assert len(numbers) == 3 * 3
    for row in numbers:
        of_search = [
            other
            for other in expected_data.expected
            if (other["regularizer"], other["fraction"]) == (row.regularizer, row.fraction)
        ]
        best = max(of_search, key=lambda other: other["expected_value"])
        assert row.trial == best["trial"]
        written = (best["expected_value"], best["expected_deviation"])
        assert (row.expected, row.deviation) == pytest.approx(written, abs=1e-5)
        (trial,) = [
            other
            for other in expected_data.trials
            if (other["regularizer"], other["fraction"], other["trial"]) == (row.regularizer, row.fraction, row.trial)
        ]
        assert (row.observed, row.epochs) == (trial["value"], trial["epochs_trained"])


def test_text_is_in_percent(expected_data):
    table = winner_table(expected_data)
    first, text = table.numbers[0], dict(zip(table.headings, table.rows[0], strict=True))
    assert text["Expected, %"] == f"{100 * first.expected:.2f} ± {100 * first.deviation:.2f}"
    assert text["Seen, %"] == f"{100 * first.observed:.2f}"
    assert text["Regret"] == f"{100 * first.regret:.2f} ± {100 * first.regret_deviation:.2f}"


def test_without_a_model_ties_margin_and_validation_images_are_still_told(tmp_path, lab):
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, provenance=None)))
    table = winner_table(data)
    assert len(table.rows) == 3 * 3
    for row, text in zip(table.numbers, table.rows, strict=True):
        values = [
            other["value"]
            for other in data.trials
            if (other["regularizer"], other["fraction"], other["state"]) == (row.regularizer, row.fraction, "complete")
        ]
        first, second, *_ = sorted(values, reverse=True)
        assert (row.observed, row.margin) == (first, first - second)
        assert row.ties == values.count(first) - 1
        assert (row.expected, row.regret, row.best_probability) == (None, None, None)
        shown = dict(zip(table.headings, text, strict=True))
        assert (shown["Expected, %"], shown["Regret"]) == ("none", "none")
        assert "without a model" in shown["Notes"]
    assert analysis.regret_of(data, "adadecay", 1.0) is None


def test_a_trial_that_was_paused_for_good_may_be_the_winner(tmp_path, lab):
    """It is the winner of the snapshot, of the table and of ``best``."""

    def paused_is_best(row):
        return {**row, "expected_value": 0.999} if (row["regularizer"], row["trial"]) == (lab.baseline, 3) else row

    parts = lab.changed(lab.changed(lab.expected_parts(), "expected", paused_is_best), "final", lambda _: None)
    results = load(lab.write_rich(tmp_path, parts))
    (row,) = [
        r
        for r in winner_table(analysis.Snapshot(results)).numbers
        if (r.regularizer, r.fraction) == (lab.baseline, 1.0)
    ]
    assert row.trial == 3
    assert row.expected == 0.999
    (trial,) = [
        t
        for t in analysis.Snapshot(results).trials
        if (t["regularizer"], t["fraction"], t["trial"]) == (lab.baseline, 1.0, 3)
    ]
    assert trial["state"] == "pruned"
    assert results.best(lab.baseline) == trial["params"]


def test_searches_with_a_model_are_compared_by_their_epochs(tmp_path, lab):
    """Their trials differ in number, because a trial takes as many epochs as it is worth."""

    def cautions_of(change, **facts):
        name = f"{change.__name__}-{'-'.join(facts)}"
        parts = lab.changed(lab.expected_parts(), "trials", change)
        study = {**lab.rich_study, "training": {"epochs": 6}}
        data = analysis.Snapshot(load(lab.write_rich(tmp_path / name, parts, study=study)))
        data.provenance["regularizers"]["adadecay"].update(facts)
        return unequal_searches(data)

    def fewer_trials_of_as_many_epochs(row):
        if row["regularizer"] == "adadecay" and row["trial"] < 2:
            return None
        more = 12 if row["regularizer"] == "adadecay" and row["trial"] == 2 else 0
        return {**row, "epochs_trained": row["epochs_trained"] + more}

    def as_many_trials_of_more_epochs(row):
        return {**row, "epochs_trained": row["epochs_trained"] + 3 * (row["regularizer"] == "adadecay")}

    assert cautions_of(fewer_trials_of_as_many_epochs) == []
    (sentence,) = cautions_of(as_many_trials_of_more_epochs)
    assert sentence.startswith("The searches did not get the same number of epochs (")
    assert "counts as often" not in sentence
    fixed = {"weight_decay": {"value": 0.0}}
    assert cautions_of(as_many_trials_of_more_epochs, space=fixed) == [], "nothing is searched"

    def fewer_epochs_of_two_passes(row):
        return {**row, "epochs_trained": row["epochs_trained"] // (1 + (row["regularizer"] == "adadecay"))}

    assert len(cautions_of(fewer_epochs_of_two_passes)) == 1
    assert cautions_of(fewer_epochs_of_two_passes, passes=2) == []
    (sentence,) = cautions_of(as_many_trials_of_more_epochs, passes=2)
    assert "where an epoch of adadecay counts as often as it passes over the images." in sentence

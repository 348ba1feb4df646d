import re

import analysis
from analysis.report.kinds import CAUTION, MAY, MAY_NOT, MEASURED
from tune_reg.store import load


def sentences(results, kind):
    return [claim.sentence for claim in analysis.claims(results) if claim.kind == kind]


def more_seeds(parts, table=("final",)):
    """The same study on ten seeds: each run once more, a little better or worse."""
    result = list(parts)
    for name, key, rows in parts:
        if name in table and rows[0]["state"] == "complete":
            row = rows[0]
            shift = {"test_accuracy": row["test_accuracy"] + 0.0001 * row["seed"], "seed": row["seed"] + 5}
            result.append((name, f"{key}-again", [{**row, **shift}]))
    return result


def test_five_seeds_can_claim_nothing_and_the_report_says_why(directory):
    assert sentences(load(directory), MAY) == []
    assert any(
        "cannot give a corrected p below 0.5 for the first of 8 comparisons" in line and "9 seeds would" in line
        for line in sentences(load(directory), CAUTION)
    )


def test_ten_seeds_claim_the_difference_that_is_there_and_no_other(tmp_path, lab):
    results = load(lab.write_study(tmp_path, more_seeds(lab.parts_of())))
    may = sentences(results, MAY)
    assert len(may) == 2
    assert all("adadecay is more accurate than weight-decay" in line for line in may)
    unshown = [line for line in sentences(results, MAY_NOT) if "any of these differs from weight-decay" in line]
    assert len(unshown) == 2  # one a training set
    assert all(re.search(r"residual-smoothing [+-]", line) and "adadecay" not in line for line in unshown)
    assert not any("however large" in line for line in sentences(results, CAUTION))


def test_nothing_is_claimed_where_strengths_were_picked_on_the_test_set(tmp_path, lab):
    study = {**lab.study, "protocol": "paper"}
    results = load(lab.write_study(tmp_path, more_seeds(lab.parts_of()), study=study))
    assert sentences(results, MAY) == []
    assert any("picked on this very test set" in line for line in sentences(results, MAY_NOT))


def test_highest_mean_is_named_with_its_strength(directory):
    lines = [line for line in sentences(load(directory), MEASURED) if "highest" in line]
    assert len(lines) == 2
    assert all("is that of adadecay with alpha = 6" in line for line in lines)


def test_cautions_name_edges_and_losses(directory):
    lines = sentences(load(directory), CAUTION)
    assert any("the best decay lies on the high edge" in line for line in lines)
    assert any("1 confirmed run of 5 diverged" in line for line in lines)


def test_one_seed_claims_nothing(tmp_path, lab):
    parts = lab.changed(lab.parts_of(), "final", lambda row: row if row["seed"] == 0 else None)
    results = load(lab.write_study(tmp_path, parts))
    assert sentences(results, MAY) == []
    assert any("one seed has no spread" in line for line in sentences(results, MAY_NOT))
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


def test_trials_at_the_best_values_of_other_methods_are_not_counted_among_them(tmp_path, lab):
    shared = {("adadecay", 11), ("weight-decay", 10)}
    parts = lab.changed(
        lab.parts_of(),
        "trials",
        lambda row: {**row, "shared_from": "dropout"} if (row["regularizer"], row["trial"]) in shared else row,
    )
    lines = sentences(load(lab.write_study(tmp_path, parts)), CAUTION)
    assert any("adadecay 22" in line and "weight-decay 22" in line for line in lines)

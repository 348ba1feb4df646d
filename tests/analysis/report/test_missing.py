import analysis
from tune_reg.store import load


def test_missing_names_what_is_not_there(tmp_path, lab):
    parts = lab.changed(
        lab.parts_of(),
        "final",
        lambda row: None if row["regularizer"] == "adadecay" and (row["seed"] > 2 or row["fraction"] == 1.0) else row,
    )
    sentences = analysis.missing(load(lab.write_study(tmp_path, parts)))
    assert "adadecay on 100 % of the data: no confirmed run." in sentences
    assert "adadecay on 25 % of the data: 3 of 5 confirmed runs." in sentences
    assert any(line.startswith("exploding on 25 %") and "(12 diverged)" in line for line in sentences)


def decision(row, look, n, verdict):
    columns = (
        "study",
        "dataset",
        "model",
        "protocol",
        "regularizer",
        "images_per_class",
        "fraction",
        "search_fraction",
    )
    looked_at = {"look": look, "n": n, "methods": 1, "level": 0.018, "decision": verdict, "measure": "test_accuracy"}
    return {**{name: row.get(name) for name in columns}, **looked_at, "estimate": 0.0, "low": -0.1, "high": 0.1}


def test_in_rounds_those_runs_are_missing_that_the_newest_look_asks_for(tmp_path, lab):
    """All have five runs: enough for a first look, and not for a second one."""
    names = [name for name in lab.methods if name != lab.diverged]
    study = {**lab.study, "regularizers": {name: {} for name in names}, "confirm": {}}
    parts = lab.parts_of(names)
    row = next(row for table, _, rows in parts if table == "final" for row in rows if row["regularizer"] == "adadecay")
    at_look = {
        "superior": [("decisions", "adadecay", [decision(row, 1, 5, "superior")])],
        "undecided": [("decisions", "adadecay", [decision(row, 1, 5, "undecided")])],
    }
    for verdict, decided in at_look.items():
        directory = lab.write_study(tmp_path / verdict, [*parts, *decided], study=study)
        lacking = [f"{name} on {share} % of the data: 5 of 8 confirmed runs." for name in names for share in (100, 25)]
        expected = [line for line in lacking if line.startswith(("adadecay", lab.study["baseline"]))]
        without = "residual-smoothing: the table decisions has no row of it; `run` makes it from the confirmed runs."
        expected = [without, *(expected if verdict == "undecided" else [])]
        assert sorted(analysis.missing(load(directory))) == sorted(expected)
    facts = analysis.report(directory).with_name("report.md").read_text(encoding="utf-8")
    assert "rounds of 5, 8, 12 and 20 seeds until decided" in facts


def test_study_that_lacks_nothing_is_not_called_incomplete(tmp_path, lab):
    names = [name for name in lab.methods if name != lab.diverged]
    study = {**lab.study, "regularizers": {name: {} for name in names}}
    assert analysis.missing(load(lab.write_study(tmp_path, lab.parts_of(names), study=study))) == ()


def lacking(tmp_path, lab, *, study=None, methods=None):
    names = [name for name in lab.methods if name != lab.diverged]
    provenance = {
        **lab.provenance,
        "regularizers": {n: {**lab.provenance["regularizers"][n], **(methods or {})} for n in names},
    }
    whole = {**lab.study, "regularizers": {name: {} for name in names}, **(study or {})}
    return analysis.missing(load(lab.write_study(tmp_path, lab.parts_of(names), study=whole, provenance=provenance)))


def test_a_method_of_which_nothing_is_searched_lacks_no_trials(tmp_path, lab):
    search = {**lab.study["search"], "trials": 1000}
    assert any("fewer than 1000 trials" in line for line in lacking(tmp_path / "a", lab, study={"search": search}))
    assert lacking(tmp_path / "b", lab, study={"search": search}, methods={"trials": 1}) == ()
    assert lacking(tmp_path / "c", lab, study={"search": {**search, "patience": 5}}) == ()


def test_a_study_without_robustness_tests_lacks_none(tmp_path, lab):
    names = [name for name in lab.methods if name != lab.diverged]
    parts = [part for part in lab.parts_of(names) if part[0] != "robustness"]
    for settings, lacks in (({"fgsm": [], "images": 1000}, False), ({"fgsm": [0.1], "images": 1000}, True)):
        study = {**lab.study, "regularizers": {name: {} for name in names}, "robustness": settings}
        sentences = analysis.missing(load(lab.write_study(tmp_path / str(lacks), parts, study=study)))
        assert any("robustness" in line for line in sentences) == lacks


def test_the_whole_set_is_not_missed_where_images_of_each_class_were_asked_for(tmp_path, lab):
    assert not any(
        "on 100 %" in line for line in lacking(tmp_path, lab, study={"images_per_class": [50], "fractions": [1.0]})
    )


def test_a_copy_that_is_left_out_is_named_and_changes_no_number(tmp_path, lab):
    directory = lab.write_study(tmp_path / "DIR", lab.parts_of())
    before = analysis.result_rows(load(directory)), analysis.missing(load(directory))
    part = min((directory / "tables" / "final").glob("*.parquet"))
    (directory / "tables" / "final" / f"{part.stem} (1).parquet").write_bytes(part.read_bytes())
    assert analysis.result_rows(load(directory)) == before[0]
    sentence = f"tables/final/{part.stem} (1).parquet is a copy of {part.name}, and is not counted."
    assert analysis.missing(load(directory)) == (*before[1], sentence)
    assert sentence in analysis.report(directory).with_name("report.md").read_text(encoding="utf-8")


def test_runs_that_were_given_up_are_told_by_method_with_the_reason_of_most(tmp_path, lab):
    def failed(row):
        gone = row["regularizer"] == "adadecay" and row.get("trial", 9) in (0, 1)
        return {**row, "state": "failed", "value": None, "reason": "no room."} if gone else row

    names = [name for name in lab.methods if name != lab.diverged]
    parts = lab.changed(lab.parts_of(names), "trials", failed)
    results = load(lab.write_study(tmp_path / "a", parts))
    line = analysis.given_up(results)
    assert line.startswith("Given up, as they failed (no room): adadecay: ")
    assert line in analysis.missing(results)
    assert analysis.given_up(load(lab.write_study(tmp_path / "b", lab.parts_of(names)))) is None

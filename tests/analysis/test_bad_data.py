"""Every figure and table of a study that is unfinished, poor or oddly named."""

import re
import xml.etree.ElementTree as ET

import pyarrow.parquet as pq
import pytest

import analysis
from analysis.figures import svg
from analysis.figures.catalogue import FIGURES
from analysis.tables.catalogue import TABLES
from tune_reg.store import load
from tune_reg.store.seal import unsealed_table

pytestmark = pytest.mark.usefixtures("without_paper")

#: Trials of a search where the odd thing is another one; the whole study has 40.
FEW = 16

ODD = r"50%_$\alpha$ & <script>alert(1)</script> #{}~^_x"


def read(directory):
    """The study, read once: what is fitted to its searches is kept with it."""
    return analysis.Snapshot(load(directory))


def everything(data):
    """All numbers and drawings, so that none fails; the names of those that are not empty."""
    for spec in FIGURES:
        numbers = spec.compute(data)
        for panel in numbers.panels[:1]:
            ET.fromstring(svg.svg(spec.draw(numbers._replace(panels=(panel,))), "x"))
    return filled(data)


def filled(data):
    """The names of the figures and tables that are not empty."""
    names = set()
    for spec in FIGURES:
        panels = spec.compute(data).panels
        assert all(panel.points for panel in panels[:1])
        names |= {spec.name} if panels else set()
    for spec in TABLES:
        table = spec.compute(data)
        assert all(len(row) == len(table.headings) for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
        assert bool(table.rows) == bool(table.numbers)
        if table.rows:
            names.add(f"table {spec.name}")
    analysis.claims(data)
    analysis.missing(data)
    return names


def test_whole_study_shows_everything(rich, tmp_path, lab):
    names = {spec.name for spec in FIGURES} | {f"table {table.name}" for table in TABLES}
    names -= {"robust-strength", "objectives"}
    assert filled(read(rich)) == names
    assert everything(read(lab.write_rich(tmp_path, lab.expected_parts()))) == names


def test_nothing_stored(tmp_path, lab):
    assert everything(read(lab.write_rich(tmp_path, []))) == set()


def test_search_alone(tmp_path, lab):
    parts = [part for part in lab.rich_parts(trials=FEW) if part[0] == "trials"]
    names = everything(read(lab.write_rich(tmp_path, parts, provenance=None)))
    assert {"strength-response", "tuning-curve", "table optima"} <= names
    assert not names & {"data-fraction", "attack-strength", "table comparisons", "table papers"}


def test_no_robustness_rows(tmp_path, lab):
    parts = [part for part in lab.rich_parts(trials=FEW) if part[0] != "robustness"]
    names = everything(read(lab.write_rich(tmp_path, parts)))
    assert not names & {"attack-strength", "trade-off", "table robustness", "table corruptions"}
    assert any("robustness" in line for line in analysis.missing(load(tmp_path)))


def test_one_seed(tmp_path, lab):
    directory = lab.write_rich(tmp_path, lab.rich_parts(trials=FEW, seeds=1))
    data = read(directory)
    assert "table comparisons" in everything(data)
    assert {(row.difference.n, row.difference.low, row.difference.p) for row in analysis.comparisons(data)} == {
        (1, None, None)
    }
    assert {point.front_share for trade in analysis.trades(data) for point in trade.points} == {None}
    assert any("one run only, so there is no interval" in claim.sentence for claim in analysis.claims(data))


def test_all_trials_diverged(tmp_path, lab):
    def diverge(row):
        return {**row, "state": "diverged", "value": None}

    parts = [part for part in lab.rich_parts(trials=FEW) if part[0] == "trials"]
    data = read(lab.write_rich(tmp_path, lab.changed(parts, "trials", diverge)))
    everything(data)
    optima = [each.optimum for each in analysis.responses(data)]
    assert {(each.trials, each.best, each.picked) for each in optima} == {(0, None, None)}
    points = analysis.tuning_points(data)[1.0]
    assert {(point.best, point.low) for point in points} == {(None, None)}


def test_all_runs_diverged(tmp_path, lab):
    def diverge(row):
        return {**row, "state": "diverged", "test_accuracy": None}

    parts = lab.changed(lab.rich_parts(trials=FEW), "final", diverge)
    parts = [part for part in parts if part[0] != "robustness"]
    names = everything(read(lab.write_rich(tmp_path, parts)))
    assert "table accuracy" not in names
    assert analysis.comparisons(load(tmp_path)) == ()


def test_one_regularizer(tmp_path, lab):
    parts = [part for part in lab.rich_parts(trials=FEW) if part[2][0]["regularizer"] == "adadecay"]
    study = {**lab.rich_study, "baseline": "adadecay", "regularizers": {"adadecay": {}}}
    names = everything(read(lab.write_rich(tmp_path, parts, study=study)))
    assert "data-fraction" in names
    assert not names & {"data-gain", "trade-off", "table comparisons", "table data-equivalence"}


def test_names_are_drawn_as_they_are(tmp_path, lab):
    parts = lab.rich_parts()
    for table in ("trials", "epochs", "final", "robustness"):
        parts = lab.changed(parts, table, lambda row: {**row, "regularizer": rename(row["regularizer"])})
    parts = lab.changed(parts, "trials", lambda row: {**row, "params": {ODD: 0.1 * row["trial"], "_$x": row["trial"]}})
    study = {**lab.rich_study, "regularizers": {rename(name): {} for name in lab.rich_methods}}
    directory = lab.write_rich(tmp_path, parts, study=study, provenance=None)
    data = read(directory)
    everything(data)
    numbers = analysis.data_fraction(data)
    text = "".join(ET.fromstring(svg.svg(analysis.draw_data_fraction(numbers), "x")).itertext())
    # Legends break long names into lines.
    assert "".join(ODD.split()) in "".join(text.split())


def rename(name):
    return ODD if name == "adadecay" else name


def test_a_store_of_an_earlier_release_lacks_columns(tmp_path, lab):
    directory = lab.write_rich(tmp_path, lab.rich_parts(trials=FEW))
    for part in (directory / "tables").rglob("*.parquet"):
        table = unsealed_table(pq.read_table(part))
        later = [name for name in ("images_per_class", "seeds", "test_ece", "warning") if name in table.column_names]
        pq.write_table(table.drop_columns(later), part)
    names = everything(read(directory))
    assert "table attack-warnings" not in names
    assert "table accuracy" in names


def test_training_sets_are_named_by_their_images_a_class(tmp_path, lab):
    per_class = {0.1: 50, 0.3: 150, 1.0: 500}
    directory = lab.write_rich(tmp_path, lab.rich_parts(trials=FEW, images_per_class=per_class))
    data = read(directory)
    everything(data)
    panel = analysis.data_fraction(data).panels[0]
    assert {point.x for point in panel.points} == {50, 150, 500}
    rows = analysis.result_rows(data)
    assert rows[0].data == "500 a class (5,000 images)"
    assert rows[3].data == "150 a class (1,500 images), strength from 500 a class"
    sentences = " ".join(claim.sentence for claim in analysis.claims(data))
    assert "On 500 images a class, " in sentences
    assert "% of the data" not in sentences


def lost_study(tmp_path, lab, names, state="failed"):
    """The rich study as it is where every trial of some methods failed before its first epoch."""

    def lose(row):
        if row["regularizer"] not in names:
            return row
        changes = {"state": state, "value": None, "epochs_trained": 0, "reason": "ValueError: no (nets.py:7)"}
        return {**row, **changes, "wall_s": 0.0}

    parts = lab.changed(lab.rich_parts(), "trials", lose)
    parts = [part for part in parts if part[0] == "trials" or part[2][0]["regularizer"] not in names]
    return lab.write_rich(tmp_path, parts, provenance={**lab.provenance, "citations": []})


@pytest.mark.parametrize("state", ["failed", pytest.param("diverged", marks=pytest.mark.slow)])
def test_a_method_that_failed_costs_no_other_and_is_told_everywhere(tmp_path, lab, state):
    directory = lost_study(tmp_path, lab, {"adadecay"}, state)
    page = analysis.report(directory)
    text = (page.parent / "report.md").read_text(encoding="utf-8")
    why = f"no trial of its search ended with a value (40 {state}: ValueError: no (nets.py:7))"
    data = read(directory)
    rows = [row for row in analysis.result_rows(data) if row.regularizer == "adadecay"]
    assert rows
    assert all(why in row.notes for row in rows)
    assert any(f"because {why}" in line for line in analysis.missing(data))
    points = analysis.equal_budgets(data)[1.0]
    assert [(p.epochs, p.best) for p in points if p.regularizer == "adadecay"] == [(0, None)]
    assert max(p.epochs for p in points if p.regularizer == "weight-decay") > 0
    # Each figure and table of the report names it, in a row or beside it.
    titles = {spec.title for spec in (*FIGURES, *TABLES)}
    sections = [section.partition("\n") for section in re.split(r"\n#+ ", text)]
    told = {title: "adadecay" in section for title, _, section in sections if title in titles}
    assert len(told) > 10
    assert [title for title, named in told.items() if not named] == []


def test_a_study_in_which_everything_failed_is_reported_with_the_reasons(tmp_path, lab):
    directory = lost_study(tmp_path, lab, set(lab.rich_methods))
    assert "ValueError: no (nets.py:7)" in analysis.report(directory).read_text(encoding="utf-8")
    lines = analysis.missing(load(directory))
    assert all(any(line.startswith(f"{name}: no trial of its search") for line in lines) for name in lab.rich_methods)


def test_a_method_whose_confirmed_runs_all_failed_says_why(tmp_path, lab):
    def fail(row):
        if row["regularizer"] != "adadecay":
            return row
        return {**row, "state": "failed", "reason": "OSError: gone", "test_accuracy": None}

    parts = lab.changed(lab.rich_parts(), "final", fail)
    parts = [part for part in parts if part[0] != "robustness" or part[2][0]["regularizer"] != "adadecay"]
    data = read(lab.write_rich(tmp_path, parts, provenance={**lab.provenance, "citations": []}))
    everything(data)
    notes = [row.notes for row in analysis.result_rows(data) if row.regularizer == "adadecay"]
    assert all("none of its confirmed runs ended (8 failed: OSError: gone)" in note for note in notes)

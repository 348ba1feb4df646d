import base64
import csv
import hashlib
import io
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

import analysis
from analysis.exports import figure_files, processes
from analysis.figures.spec import FigureSpec
from analysis.tables.spec import Table, TableSpec
from tune_reg.store import load


def test_every_figure_has_its_data_beside_it(written, reports):
    names = ["attack-strength", "data-fraction", "learning-curves", "strength-response", "tuning-curve"]
    files = reports.files_of(written)
    figures = {f"figures/{name}.{end}" for name in names for end in ("csv", "svg", "pdf", "png", "tex")}
    assert figures <= set(files)
    assert {"index.html", "report.md", "references.bib"} <= set(files)
    tables = [name for name in files if name.startswith("tables/")]
    assert {"tables/results-short.csv", "tables/results-short.tex"} <= set(tables)
    assert {"tables/results.csv", "tables/results.tex", "tables/budget.csv", "tables/budget.tex"} <= set(tables)
    page = files["index.html"].decode()
    for name in files:
        assert name in ("index.html",) or f'href="{name}"' in page, name


PANELS = ("panel", "panel legend")


def test_page_is_well_formed_and_needs_nothing_from_elsewhere(written, reports):
    text = (written / "report" / "index.html").read_text(encoding="utf-8")
    page = reports.Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert not [tag for tag, _ in page.tags if tag in ("iframe", "img", "object", "embed", "form")]
    (script,) = [attributes for tag, attributes in page.tags if tag == "script"]
    assert script == {}
    (policy,) = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    body = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "@import" not in text
    assert all((written / "report" / link).is_file() for link in page.outside)
    panels = [attributes for tag, attributes in page.tags if tag == "div" and attributes.get("class") in PANELS]
    assert len(panels) == sum(tag == "svg" for tag, _ in page.tags) >= 11
    assert all(len(attributes["aria-label"]) > 20 for attributes in panels)


def test_page_says_what_was_asked_and_how_to_repeat_it(written, reports):
    text = " ".join(reports.Page((written / "report" / "index.html").read_text(encoding="utf-8")).text)
    for part in (
        "digits",
        "nn-2",
        "d = g + decay * p",
        "krogh1991simple",
        "tune-reg run study.toml --out DIR",
        "2.15.0",
    ):
        assert part in text
    assert "picked on the test set" not in text


def test_same_bytes_elsewhere_in_another_order_and_from_processes_side_by_side(
    written, tmp_path, lab, monkeypatch, reports
):
    other = tmp_path / "somewhere" / "else"
    # Parts under other names are read in another order; rows within a part are turned round too.
    parts = [
        (table, f"{len(lab.parts_of()) - place:05d}", rows[::-1])
        for place, (table, _, rows) in enumerate(lab.parts_of())
    ]
    lab.write_study(other, parts[::-1], merge=False)
    first = load(written).epochs().to_pylist()
    assert first != load(other).epochs().to_pylist()
    monkeypatch.setattr(processes, "cores", lambda: 2)
    analysis.report(other)
    assert reports.files_of(other) == reports.files_of(written)
    assert not [name for name, content in reports.files_of(written).items() if str(written).encode() in content]


def test_typed_call_and_its_folders_are_not_printed(tmp_path, lab, reports):
    provenance = {**lab.provenance, "argv": "tune-reg run s.toml --out /home/me/DIR", "plugins": {"a b.py": "0f"}}
    text = reports.make(tmp_path, lab, provenance=provenance)
    assert "/home/me" not in text
    assert "tune-reg run study.toml --out DIR --plugin &#39;a b.py&#39;" in text


def test_pictures_hold_no_date(written, reports):
    for name, content in reports.files_of(written).items():
        assert b"CreationDate" not in content, name
        assert b"tIME" not in content, name
        assert not re.search(rb"<dc:date>", content), name


NASTY = '<script>alert(1)</script> & "q" 50%_$&#{}~^ $x_1$ \\'


@pytest.fixture(scope="module")
def nasty(tmp_path_factory, lab, reports):
    """The folder of a study of whose names each is ``NASTY``, with its report; read it, do not write to it."""

    def rename(row):
        return {**row, "regularizer": NASTY} if row["regularizer"] == "adadecay" else row

    parts = lab.parts_of(["adadecay", lab.baseline], [1.0])
    for table in ("trials", "epochs", "final", "robustness"):
        parts = lab.changed(parts, table, rename)
    study = {**lab.study, "name": NASTY, "regularizers": {lab.baseline: {}, NASTY: {}}}
    methods = {**lab.methods, NASTY: {"formula": NASTY, "reference": NASTY, "strength": "alpha"}}
    folder = tmp_path_factory.mktemp("nasty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_files, "pdf", lambda *_: b"")
        patch.setattr(figure_files, "png", lambda _: b"")
        reports.make(
            folder, lab, parts, figures=True, study=study, provenance={**lab.provenance, "regularizers": methods}
        )
    return folder / "DIR"


def test_names_are_text(nasty, lab, reports):
    text = (nasty / "report" / "index.html").read_text(encoding="utf-8")
    page = reports.Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert "<script>alert" not in text
    assert sum(NASTY in part for part in page.text) >= 8
    assert any(NASTY in attributes.get("aria-label", "") for _, attributes in page.tags)
    files = reports.files_of(nasty)
    assert b"<script" not in files["report.md"].replace(NASTY.encode(), b"", 99).split(b"```")[0]
    set_ = files["tables/results.tex"].decode().replace(r"\allowbreak{}", "")
    assert r"\textless{}script\textgreater{}alert(1)" in set_
    assert r"50\%\_\$\&\#\{\}\textasciitilde{}\textasciicircum{}" in set_
    rows = list(csv.DictReader(io.StringIO(files["tables/results.csv"].decode())))
    assert {row["regularizer"] for row in rows} == {lab.baseline, NASTY}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_tables_compile_alone(tmp_path, nasty):
    tables = sorted((nasty / "report" / "tables").glob("*.tex"))
    assert len(tables) > 5
    for table in tables:
        shutil.copy(table, tmp_path / table.name)
        alone = (
            r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
            rf"\input{{{table.stem}}}\end{{document}}"
        )
        (tmp_path / "alone.tex").write_text(alone)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "alone.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, (table.name, done.stdout[-2000:])


def test_name_with_an_underscore_stays_in_the_legends(tmp_path, lab, reports):
    parts = lab.parts_of(["adadecay", lab.baseline], [1.0])
    for table in ("trials", "epochs", "final", "robustness"):
        parts = lab.changed(
            parts, table, lambda row: {**row, "regularizer": "_mine"} if row["regularizer"] == "adadecay" else row
        )
    text = reports.make(
        tmp_path,
        lab,
        parts,
        figures=["data-fraction"],
        study={**lab.study, "regularizers": {lab.baseline: {}, "_mine": {}}},
    )
    svg = text[text.index('id="data-fraction-1-figure_1"') :]
    assert "_mine</text>" in svg[: svg.index("</svg>")]


def test_paper_protocol_is_loud(tmp_path, lab, reports):
    text = reports.make(tmp_path, lab, figures=True, study={**lab.study, "protocol": "paper"})
    assert "strengths were picked on the test set" in text
    assert "validation accuracy" not in text[text.index("<svg") : text.rindex("</svg>")]


def test_one_regularizer(tmp_path, lab, reports):
    study = {**lab.study, "regularizers": {lab.baseline: {}}}
    study["fractions"] = [1.0]
    text = reports.make(tmp_path, lab, lab.parts_of([lab.baseline], [1.0]), study=study)
    assert "weight-decay (baseline)" in text
    assert "Not everything that was asked for" not in text


def test_all_diverged(tmp_path, lab, reports):
    study = {**lab.study, "baseline": lab.diverged, "regularizers": {lab.diverged: {}}}
    text = reports.make(tmp_path, lab, lab.parts_of([lab.diverged]), figures=True, study=study)
    assert "no answer yet" in text
    assert "The table final has no rows." in text
    assert "diverged (no accuracy)" in text


def test_all_confirmed_runs_diverged(tmp_path, lab, reports):
    empty = dict.fromkeys(("test_accuracy", "generalization_gap", "max_over_epochs", "mean_last_10pct"))
    parts = lab.changed(lab.parts_of([lab.baseline], [1.0]), "final", lambda row: {**row, **empty, "state": "diverged"})
    rows = analysis.result_rows(load(lab.write_study(tmp_path / "DIR", parts)))
    assert {row.test_accuracy for row in rows} == {"none"}
    assert rows[0].notes.startswith("5 runs diverged; no confirmed run ended")
    assert "Nothing" in reports.make(tmp_path, lab, parts)


def test_no_robustness_rows(tmp_path, lab, reports):
    parts = [part for part in lab.parts_of([lab.baseline], [1.0]) if part[0] != "robustness"]
    text = reports.make(tmp_path, lab, parts, figures=["attack-strength", "data-fraction"])
    assert "The table robustness has no rows." in text
    assert "figures/data-fraction" in text
    assert "figures/attack-strength" not in text


def test_a_figure_without_data_is_removed(tmp_path, lab, reports):
    parts, drawn = lab.parts_of([lab.baseline], [1.0]), ["attack-strength"]
    reports.make(tmp_path, lab, parts, figures=drawn)
    figures = tmp_path / "DIR" / "report" / "figures"
    assert list(figures.glob("attack*"))
    shutil.rmtree(tmp_path / "DIR" / "tables" / "robustness")
    reports.make(tmp_path, lab, [part for part in parts if part[0] != "robustness"], figures=drawn)
    assert not list(figures.glob("attack*"))


def test_nothing_but_the_study(tmp_path, lab, reports):
    directory = lab.write_study(tmp_path / "DIR", [], provenance=None)
    shutil.rmtree(directory / "tables")
    text = analysis.report(directory).read_text(encoding="utf-8")
    reports.Page(text)
    for table in ("trials", "final", "robustness"):
        assert f"The table {table} has no rows." in text
    assert "provenance.json: formulas, versions, hardware and command are unknown." in text
    assert "There is nothing to draw yet." in text


def test_one_seed_has_no_interval_and_says_so(tmp_path, lab, reports):
    parts = lab.changed(
        lab.parts_of(["adadecay", lab.baseline], [1.0]), "final", lambda row: row if row["seed"] == 0 else None
    )
    text = reports.make(tmp_path, lab, parts)
    assert "(one run: no interval)" in text
    assert "Not yet: " in text
    assert "one pair of runs has no spread to judge by" in text


def test_tables_of_the_catalogue_need_no_change_of_the_page(tmp_path, lab, monkeypatch, reports):
    class Number(NamedTuple):
        name: str
        value: float

    class Panel(NamedTuple):
        points: tuple

    class Curve(NamedTuple):
        panels: tuple

    def draw(curve):
        from matplotlib.figure import Figure

        figure = Figure()
        figure.add_subplot().set_title("a title of its own")
        return figure

    table = Table(("Thing", "Value"), (("b_b", "0.1 [0, 1]"),), (Number("b_b", 0.123456789012345),))
    empty = Table(("Thing",), (), ())
    specs = (TableSpec("own", "Own table", "Its words.", lambda _: table), TableSpec("none", "N", "", lambda _: empty))
    for module in ("content", "write"):
        # The name analysis.report is the function.
        monkeypatch.setattr(sys.modules[f"analysis.report.{module}"], "TABLES", specs)
    curve = Curve((Panel((Number("a", 0.5),)),))
    figures = (FigureSpec("curve", "Own figure", "Its caption.", lambda _: curve, draw),)
    monkeypatch.setattr(sys.modules["analysis.report.write"], "FIGURES", figures)
    text = reports.make(tmp_path, lab, figures=True)
    files = reports.files_of(tmp_path / "DIR")
    assert files["tables/own.csv"] == b"name,value\nb_b,0.123456789012345\n"
    assert rb"b\_b & 0.1 {[}0, 1{]}" in files["tables/own.tex"]
    assert b"| b\\_b | 0.1 \\[0, 1\\] |" in files["report.md"]
    assert 'data-sort="0.1"' in text
    assert "Own figure: a title of its own." in text
    assert files["figures/curve.csv"] == b"name,value\na,0.5\n"
    assert not [name for name in files if "none." in name]

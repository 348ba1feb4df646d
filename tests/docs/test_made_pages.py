"""Pages that are made of the code: nothing is left out, and nothing is without words."""

import csv
import re
import xml.etree.ElementTree as ET

import pytest
from generator.draw_diagrams import digest
from generator.formulas import mathml
from generator.markdown import inside
from generator.regularizer_pages import regularizer_index, regularizer_page
from generator.study_file import description, rows, study_file_page, tables

from tune_reg.regularizers import regularizers
from tune_reg.search.pruners.catalog import PRUNERS
from tune_reg.search.samplers import SAMPLERS
from tune_reg.study import Study

KINDS = regularizers()


@pytest.mark.parametrize("name", KINDS)
def test_the_page_of_a_regularizer_has_all_that_its_class_says(name):
    kind = KINDS[name]
    page = regularizer_page(kind, "a caption")
    assert kind.when, "when to use it is not said"
    for text in (kind.formula, kind.when, kind.reference, *(f"`{p.name}`" for p in kind.hyperparameters)):
        assert text in page
    for key, prior in kind.space.priors.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{key}` |")]
        assert f"{prior.usual:g}" in row
        assert prior.source in row


def test_the_list_of_regularizers_has_all_of_them():
    index = regularizer_index(KINDS)
    assert all(f"]({name}.md)" in index and f"\n{name}\n" in index for name in KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_formulas_are_well_formed_and_complete(name):
    formula = KINDS[name].formula
    root = ET.fromstring(f"<div>{mathml(formula)}</div>".replace("&nbsp;", " "))
    text = "".join(root.itertext())
    for letter, mark in (("lambda", "λ"), ("alpha", "α"), ("theta", "θ"), ("<-", "←")):
        assert text.count(mark) == formula.count(letter)
    assert not re.search(r"[_^]", text), "a sub- or superscript is left as text"


def test_a_script_of_a_formula_is_what_follows_it():
    assert '<msubsup><mo stretchy="false">|</mo><mi>F</mi><mn>2</mn></msubsup>' in mathml("|J|_F^2")
    assert "<msup><mo>)</mo><mrow><mi>a</mi></mrow></msup>".replace("<mi>a</mi>", "<mi>k</mi>") in mathml("(b)^(k)")


def test_samplers_and_stopping_rules_say_when():
    assert [entry.name for entry in (*SAMPLERS.values(), *PRUNERS.values()) if not entry.when] == []


def test_every_key_of_a_study_file_is_described():
    silent = [f"{name}.{key}" for name, model in tables(Study) for key in keys(model) if not description(model, key)]
    assert silent == []


def keys(model):
    return [row[0].strip("`") for row in rows(model)]


def test_the_keys_are_those_that_a_study_writes_out():
    plain = Study(name="x", dataset="digits", model="nn-2", regularizers=["dropout"]).to_plain()
    page = study_file_page()
    written = [key for key, value in plain.items() if not isinstance(value, dict)]
    written += [key for table in ("training", "search", "confirm", "robustness", "resources") for key in plain[table]]
    assert [key for key in written if f"\n| `{key}` |" not in page] == []


def test_bounds_and_defaults_are_those_of_the_schema():
    (search,) = [model for name, model in tables(Study) if name == "search"]
    of = {row[0]: row[1:4] for row in rows(search)}
    assert of["`trials`"] == ["whole number", "`16`", "≥ 1, ≤ 100,000"]
    assert of["`prior`"] == ["true or false", "`true`", ""]
    assert of["`sampler`"][0].startswith("`knowledge-gradient`, ")
    assert of["`fractions`"] == ["list of number", "empty", "length ≤ 100, > 0, ≤ 1"]


def test_diagrams_are_drawn_from_their_sources(docs):
    sources = sorted((docs / "pictures").glob("*.mmd"))
    assert len(sources) == 2
    for source in sources:
        head = source.with_suffix(".svg").read_text(encoding="utf-8").splitlines()[0]
        assert digest(source.read_text(encoding="utf-8")) in head, f"draw {source.name} anew with draw_diagrams.py"


def test_links_out_of_the_site_become_text_or_pages():
    assert inside("[a](../CHANGELOG.md#x) [b](../examples/asha.py) [c](https://x.org) [d](#e)", "docs") == (
        "[a](/made/release-notes.md#x) b [c](https://x.org) [d](#e)"
    )
    assert inside("[a](../storage.md)", "docs/clusters") == "[a](../storage.md)"


def test_the_sample_report_is_small_and_whole(docs):
    folder = docs / "extra" / "sample-report"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1_500_000
    page = (folder / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="((?!#|data:|https?:)[^"]+)"', page)
    assert len(links) > 10
    assert [link for link in links if not (folder / link).is_file()] == []


def test_the_table_of_the_readme_is_that_of_the_sample_report(docs):
    readme = (docs.parent / "README.md").read_text(encoding="utf-8")
    with (docs / "extra" / "sample-report" / "tables" / "results-short.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        mean, low, high = (100 * float(row[f"test_accuracy_{part}"]) for part in ("mean", "low", "high"))
        line = f"| {row['regularizer']} | {row['n']} | {mean:.2f} [{low:.2f}, {high:.2f}] |"
        if row["difference_mean"]:
            mean, low, high = (100 * float(row[f"difference_{part}"]) for part in ("mean", "low", "high"))
            line += f" {mean:+.2f} [{low:+.2f}, {high:+.2f}] |"
            assert f"of {100 * (1 - float(row['difference_level'])):.2f} % at {row['n']}" in readme
        assert line in readme

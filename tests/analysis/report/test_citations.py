import pytest

import analysis
from analysis.report.citations import citations
from tune_reg import references
from tune_reg.store import load


@pytest.fixture
def data_of(tmp_path, lab):
    return lambda parts: analysis.Snapshot(load(lab.write_study(tmp_path / "DIR", parts)))


def test_citations_are_of_what_was_used(data_of, lab):
    methods = {citation.method for citation in citations(data_of(lab.parts_of([lab.baseline], [1.0])))}
    assert {
        "weight-decay",
        "TPE (the sampler)",
        "Asynchronous successive halving (stopping trials early)",
        "FGSM",
    } <= methods
    assert not {"PGD", "DeepFool", "Common corruptions", "Random search (the sampler)"} & methods


def test_a_run_says_in_its_provenance_what_it_used(tmp_path, lab):
    written = [{"method": "A sampler", "bibtex": "@misc{a,\n}"}, {"method": "An attack", "bibtex": "@misc{b,\n}"}]
    provenance = {**lab.provenance, "citations": written}
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline], [1.0]), provenance=provenance)
    data = analysis.Snapshot(load(directory))
    methods = [lab.baseline, "adadecay", "A sampler", "An attack", "Student's t intervals", "Holm's correction"]
    methods += ["Grubbs' test of outliers, repeated", "D'Agostino's test of skewness"]
    assert [citation.method for citation in citations(data)] == methods
    assert [citation.bibtex for citation in citations(data)][2:4] == ["@misc{a,\n}", "@misc{b,\n}"]


def test_the_written_citations_stand_in_the_report_once(tmp_path, lab):
    written = [{"method": "A sampler", "bibtex": "@misc{a,\n}"}]
    provenance = {**lab.provenance, "citations": written}
    directory = lab.write_study(tmp_path, lab.parts_of([lab.baseline], [1.0]), provenance=provenance)
    text = analysis.report(directory).read_text(encoding="utf-8")
    assert "<li>A sampler: <code>a</code></li>" in text
    assert "citations" not in text[text.index('id="provenance"') :]
    assert "@misc{a,\n}" in (directory / "report" / "references.bib").read_text(encoding="utf-8")


def test_results_of_0_1_cite_every_attack_and_corruption(rich_data):
    methods = [citation.method for citation in citations(rich_data)]
    attacks = ["Foolbox (running the attacks)", "FGSM", "PGD", "Carlini and Wagner's attack", "Common corruptions"]
    place = methods.index(attacks[0])
    assert methods[place : place + 5] == attacks
    assert methods[place - 4 : place] == [
        "Ray Tune (running the trials)",
        "Optuna (the search)",
        "TPE (the sampler)",
        "Asynchronous successive halving (stopping trials early)",
    ]
    bibtex = {citation.method: citation.bibtex for citation in citations(rich_data)}
    assert bibtex["FGSM"] == references.bibtex("goodfellow2015explaining")

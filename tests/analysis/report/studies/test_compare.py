import csv
import io
import shutil

import pytest

import analysis
from analysis.exports import figure_files
from analysis.report.studies.across import across
from tune_reg.errors import StoreError
from tune_reg.store import load

NAMES = ("weight-decay", "adadecay", "residual-smoothing")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(figure_files, "pdf", lambda *_: b"")
    monkeypatch.setattr(figure_files, "png", lambda _: b"")


@pytest.fixture(scope="module")
def studies(tmp_path_factory, lab):
    """Three studies on three data sets; in the second one a regularizer is missing."""
    root = tmp_path_factory.mktemp("studies")
    written = []
    for place, dataset in enumerate(("digits", "mnist", "svhn")):
        names = NAMES if place != 1 else NAMES[:2]
        parts = lab.changed(
            lab.parts_of(names, [1.0]),
            "final",
            lambda row, place=place: {**row, "test_accuracy": row["test_accuracy"] - 0.1 * place},
        )
        study = {**lab.study, "dataset": dataset, "fractions": [1.0], "regularizers": {name: {} for name in names}}
        provenance = {**lab.provenance, "study_hash": f"hash-{place}"}
        written.append(lab.write_study(root / str(place), parts, study=study, provenance=provenance))
    return written


def test_each_comparison_has_the_verdict_of_its_own_report(studies):
    snapshots = {path.name: analysis.Snapshot(load(path)) for path in studies}
    tested = [row for row in across(snapshots) if row.difference is not None]
    assert len(tested) == 5
    for row in tested:
        data = snapshots[row.study]
        (compared,) = [each for each in analysis.comparisons(data) if each[5:7] == (row.regularizer, True)]
        assert row.difference == compared.difference
        may = [claim.sentence for claim in analysis.claims(data) if claim.kind == "may"]
        assert row.claimed == any(f"{row.regularizer} is more accurate" in sentence for sentence in may)
    assert {row.claimed for row in tested} == {True, False}


def test_page_says_everything_and_nothing_lies_elsewhere(studies, tmp_path, quick):
    page = analysis.compare(studies, tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    text = page.read_text(encoding="utf-8")
    for part in (
        "synthetic, nn-2 on mnist",
        "Average ranks over 3 studies",
        "Not ranked, because not every ranked study has them: residual-smoothing.",
        "with the settings that this search found, adadecay is more accurate than weight-decay",
        "Each verdict is that of the study&#39;s own report",
        "demsar2006statistical",
    ):
        assert part in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "tables" / "accuracy.csv").read_text())))
    assert len(rows) == 8
    figure = list(csv.DictReader(io.StringIO((tmp_path / "out" / "figures" / "differences.csv").read_text())))
    assert {row["study"] for row in figure} == {f"synthetic, nn-2 on {name}" for name in ("digits", "mnist", "svhn")}
    assert {path.suffix for path in (tmp_path / "out" / "figures").iterdir()} == {
        ".csv",
        ".svg",
        ".pdf",
        ".png",
        ".tex",
    }


def test_same_bytes_elsewhere(studies, tmp_path):
    copies = [shutil.copytree(path, tmp_path / "copy" / f"{place}-x") for place, path in enumerate(studies)]
    one, two = analysis.compare(studies, tmp_path / "one").parent, analysis.compare(copies, tmp_path / "two").parent
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) > 10
    assert [(one / name).read_bytes() for name in files] == [(two / name).read_bytes() for name in files]


def test_unfinished_study_is_reported_with_what_is_missing(studies, tmp_path, lab, quick):
    parts = [part for part in lab.parts_of(NAMES, [1.0]) if part[0] == "trials"]
    study = {**lab.study, "name": "half", "fractions": [1.0]}
    half = lab.write_study(tmp_path / "half", parts, study=study, provenance={**lab.provenance, "study_hash": "half"})
    text = analysis.compare([*studies, half], tmp_path / "out").read_text(encoding="utf-8")
    assert "half: The table final has no rows." in text
    assert "1 of 4 studies have fewer than two confirmed means and are not ranked." in text


def test_studies_picked_on_the_test_set_claim_nothing(studies, tmp_path, lab, quick):
    def apart(row):
        return {**row, "test_accuracy": 0.9 + 0.05 * (row["regularizer"] == "adadecay") + 0.001 * row["seed"]}

    parts = lab.changed(lab.parts_of(NAMES[:2], [1.0]), "final", apart)
    parts += [
        (t, f"{k}-b", [apart({**r, "seed": r["seed"] + 5}) for r in rows]) for t, k, rows in parts if t == "final"
    ]
    pages = {}
    for protocol in ("validation", "paper"):
        study = {**lab.study, "name": protocol, "protocol": protocol, "fractions": [1.0]}
        provenance = {**lab.provenance, "study_hash": protocol}
        directory = lab.write_study(tmp_path / protocol, parts, study=study, provenance=provenance)
        pages[protocol] = analysis.compare([studies[0], directory], tmp_path / f"{protocol}-out").read_text()
    claim = "with the settings that this search found, adadecay is more accurate than weight-decay: +5.00"
    assert f"validation: {claim}" in pages["validation"]
    assert claim not in pages["paper"]
    assert "no difference may be claimed: paper." in pages["paper"]


def refused(directories, out):
    with pytest.raises(StoreError) as caught:
        analysis.compare(directories, out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_compared_is_one_line(studies, tmp_path):
    copy = shutil.copytree(studies[0], tmp_path / "copy")
    assert f"{copy} holds the same study as {studies[0]} (hash-0)" in refused([*studies, copy], tmp_path / "out")
    assert "at least two studies, but got 1" in refused(studies[:1], tmp_path / "out")
    assert "holds no study" in refused([studies[0], tmp_path], tmp_path / "out")
    assert "must not lie in the results of a study" in refused(studies, studies[0] / "report")
    assert "must not lie in the results of a study" in refused(studies, studies[0])
    assert not (tmp_path / "out").exists()


def test_command_writes_the_page_and_refuses_in_one_line(studies, tmp_path, quick):
    from typer.testing import CliRunner

    from tune_reg.cli.app import app

    done = CliRunner().invoke(app, ["compare", *map(str, studies[:2]), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"comparison: {tmp_path / 'out' / 'index.html'}"
    failed = CliRunner().invoke(app, ["compare", str(studies[0]), "--out", str(tmp_path / "none")])
    assert isinstance(failed.exception, StoreError)

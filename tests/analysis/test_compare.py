import csv
import io
import itertools
import math
import shutil

import numpy as np
import pytest

import analysis
from analysis.across import AcrossRow, across, average_ranks, critical_difference, friedman_p, rank_sentences
from analysis.exports import pictures
from analysis.statistics import Estimate
from tune_reg.errors import StoreError
from tune_reg.store import load

NAMES = ("weight-decay", "adadecay", "residual-smoothing")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(pictures, "pdf", lambda _: b"")
    monkeypatch.setattr(pictures, "png", lambda _: b"")


@pytest.fixture(scope="module")
def studies(tmp_path_factory, lab):
    """Three studies on three data sets; in the second one a regularizer is missing."""
    root = tmp_path_factory.mktemp("studies")
    found = []
    for place, dataset in enumerate(("digits", "mnist", "svhn")):
        names = NAMES if place != 1 else NAMES[:2]
        parts = lab.changed(
            lab.parts_of(names, [1.0]),
            "final",
            lambda row, place=place: {**row, "test_accuracy": row["test_accuracy"] - 0.1 * place},
        )
        study = {**lab.study, "dataset": dataset, "fractions": [1.0], "regularizers": {name: {} for name in names}}
        provenance = {**lab.provenance, "study_hash": f"hash-{place}"}
        found.append(lab.write_study(root / str(place), parts, study=study, provenance=provenance))
    return found


def rows_of(means):
    """Rows of studies with the given mean accuracies, one list a study."""
    return [
        AcrossRow(str(study), "", f"r{place}", "r0", 5, Estimate(5, mean, None, None, ""), None, (), "")
        for study, values in enumerate(means)
        for place, mean in enumerate(values)
        if mean is not None
    ]


def friedman_by_hand(ranks):
    """All ways to permute the ranks within the studies, one after the other."""

    def spread(table):
        return sum((sum(column) / len(table) - (len(table[0]) + 1) / 2) ** 2 for column in zip(*table, strict=True))

    observed = spread(ranks)
    all_ways = list(itertools.product(*(list(itertools.permutations(row)) for row in ranks)))
    return sum(spread(way) >= observed - 1e-9 for way in all_ways) / len(all_ways)


@pytest.mark.parametrize(
    "ranks", [[(1, 2, 3), (1, 3, 2), (1, 2, 3)], [(1, 2, 3)] * 4, [(1.5, 1.5, 3), (3, 1, 2), (2, 1, 3)], [(1, 2)] * 6]
)
def test_friedman_against_enumeration(ranks):
    assert friedman_p(np.array(ranks, dtype=float)) == pytest.approx(friedman_by_hand(ranks), abs=1e-12)


def test_friedman_of_many_studies_nears_the_chi_square():
    from scipy import stats

    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 4)) + np.array([0.0, 0.1, 0.3, 0.5])
    ranks = stats.rankdata(values, axis=1)
    expected = stats.friedmanchisquare(*values.T).pvalue
    assert 0.001 < expected < 0.5
    assert friedman_p(ranks) == pytest.approx(expected, abs=0.02)


# q_0.05 of Demsar (2006), table 5a.
@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_against_the_published_table(k, q):
    assert critical_difference(12, k) == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * 12)), rel=5e-4)


def test_ranks_share_ties_and_leave_out_what_is_not_everywhere():
    ranks = average_ranks(rows_of([(0.9, 0.8, 0.8, 0.1), (0.7, 0.9, 0.6, None)]))
    assert ranks.left_out == ("r3",)
    assert {row.regularizer: row.ranks for row in ranks.rows} == {"r0": (1, 2), "r1": (2.5, 1), "r2": (2.5, 3)}
    assert [row.average_rank for row in ranks.rows] == [1.5, 1.75, 2.75]
    assert average_ranks(rows_of([(0.9, 0.8)])) is None


def test_few_studies_are_no_test_and_it_is_said():
    rows = rows_of([(0.9, 0.8, 0.7)] * 2)
    assert average_ranks(rows).p is None
    sentences = " ".join(rank_sentences(rows, 2))
    assert "No test of the ranks: with 2 studies of 3 regularizers" in sentences
    assert "3 studies would allow it" in sentences
    assert "critical difference" not in sentences
    # What is promised holds.
    assert average_ranks(rows_of([(0.9, 0.8, 0.7)] * 3)).p <= 0.05


def test_ranks_and_critical_difference_are_autoranks():
    # autorank 1.3.0: autorank(DataFrame of these, one column a regularizer, force_mode="nonparametric"), .rankdf, .cd
    studies = [
        (0.91, 0.92, 0.93, 0.90),
        (0.81, 0.82, 0.83, 0.815),
        (0.71, 0.73, 0.72, 0.70),
        (0.95, 0.96, 0.97, 0.94),
        (0.65, 0.66, 0.68, 0.64),
        (0.88, 0.89, 0.90, 0.87),
    ]
    ranks = average_ranks(rows_of(studies))
    assert [row.regularizer for row in ranks.rows] == ["r2", "r1", "r0", "r3"]
    expected = [1.1666666667, 1.8333333333, 3.1666666667, 3.8333333333]
    assert [row.average_rank for row in ranks.rows] == pytest.approx(expected)
    assert ranks.critical_difference == pytest.approx(1.91483, rel=1e-4)
    # Its p of Friedman's test is 0.00113, by the chi-square, which is too high with six studies.
    assert 0 < ranks.p < 0.00113


def test_critical_difference_only_where_the_test_rejects():
    agreed, mixed = rows_of([(0.9, 0.8, 0.7)] * 6), rows_of([(0.9, 0.8, 0.7), (0.7, 0.9, 0.8), (0.8, 0.7, 0.9)] * 2)
    assert average_ranks(agreed).critical_difference == pytest.approx(2.343 * math.sqrt(12 / 36), rel=1e-3)
    said = " ".join(rank_sentences(agreed, 6))
    assert "r0 before r2" in said
    assert "r0 before r1" not in said
    assert "approximation with few studies" in said
    assert average_ranks(mixed).critical_difference is None
    assert "no difference in rank is shown" in " ".join(rank_sentences(mixed, 6))


def test_p_is_corrected_over_all_studies(studies):
    rows = across({path.name: analysis.Snapshot(load(path)) for path in studies})
    tested = [row.difference for row in rows if row.difference is not None]
    assert len(tested) == 5
    assert [d.p_holm for d in tested] == analysis.holm([d.p for d in tested])


def test_page_says_everything_and_nothing_lies_elsewhere(studies, tmp_path, quick):
    page = analysis.compare(studies, tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    text = page.read_text(encoding="utf-8")
    for part in (
        "synthetic, nn-2 on mnist",
        "Average ranks over 3 studies",
        "Not ranked, because not every ranked study has them: residual-smoothing.",
        "5 comparisons",
        "demsar2006statistical",
    ):
        assert part in text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "tables" / "accuracy.csv").read_text())))
    assert len(rows) == 8
    figure = list(csv.DictReader(io.StringIO((tmp_path / "out" / "figures" / "differences.csv").read_text())))
    assert {row["study"] for row in figure} == {f"synthetic, nn-2 on {name}" for name in ("digits", "mnist", "svhn")}
    assert {path.suffix for path in (tmp_path / "out" / "figures").iterdir()} == {".csv", ".svg", ".pdf", ".png"}


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
    said = {}
    for protocol in ("validation", "paper"):
        study = {**lab.study, "name": protocol, "protocol": protocol, "fractions": [1.0]}
        provenance = {**lab.provenance, "study_hash": protocol}
        directory = lab.write_study(tmp_path / protocol, parts, study=study, provenance=provenance)
        said[protocol] = analysis.compare([studies[0], directory], tmp_path / f"{protocol}-out").read_text()
    assert "validation: adadecay is more accurate than weight-decay: +5.00" in said["validation"]
    assert "is more accurate than" not in said["paper"]
    assert "no difference may be claimed: paper." in said["paper"]


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

    from tune_reg.cli import app

    done = CliRunner().invoke(app, ["compare", *map(str, studies[:2]), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"comparison: {tmp_path / 'out' / 'index.html'}"
    failed = CliRunner().invoke(app, ["compare", str(studies[0]), "--out", str(tmp_path / "none")])
    assert isinstance(failed.exception, StoreError)

"""A reproduction from its declaration to its page, with a study of digits in place of the paper's."""

import csv
import dataclasses
import shutil
from statistics import fmean
from types import SimpleNamespace

import in_process
import pytest

import analysis
from analysis.figures.reproduction import draw_published_and_measured, published_and_measured
from analysis.measures.reproduction.declared import Curves, Line, PaperClaim
from analysis.measures.reproduction.side_by_side import side_by_side
from analysis.report.reproduction.content import sentences
from tune_reg.errors import StoreError
from tune_reg.reproduction import declare
from tune_reg.reproduction.noise_and_penalties import ITEMS
from tune_reg.reproduction.preset import BlockPreset, column, declaration
from tune_reg.store import load

GRID = {"db-0.01": 0.01, "db-0.1": 0.1}


def blocks(scale):
    methods = {
        "baseline": {"regularizer": "weight-decay", "weight_decay": 0.0},
        **{name: {"regularizer": "db", "strength": strength} for name, strength in GRID.items()},
    }
    preset = BlockPreset(
        name="digits",
        dataset="MNIST",
        model="small",
        keys={
            "dataset": "digits",
            "model": "nn-2-small",
            "images_per_class": [50],
            "training": {"epochs": 2},
            "confirm": {"seeds": 2},
        },
        methods=methods,
        columns=(column("baseline", "", ["baseline"]), column("db", "best of [1e-6,3]", GRID)),
        baseline=("baseline", ""),
        sizes=("50/class",),
        in_place="digits",
        claims=(PaperClaim(text="db is better", measure="loss", at=0.5, better="db-0.1", worse="baseline"),),
        curves=Curves(
            x="lambda",
            log=True,
            statistic="last epoch",
            lines=(Line(name="db", points=tuple((strength, name) for name, strength in GRID.items())),),
        ),
    )
    return (preset,)


ITEM = dataclasses.replace(ITEMS[0], blocks=blocks)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = declare(ITEM, "small", tmp_path_factory.mktemp("reproduced") / "out")
    for study_path, study in blocks("small")[0].studies("x").items():
        in_process.run_study(study, path / study_path)
    return path


def test_the_page_has_published_and_measured_numbers_side_by_side(directory):
    page = analysis.report_reproduction(directory)
    text = (page.parent / "reproduction.md").read_text()
    assert "2 of 2 published numbers have a measured one beside them" in text
    assert "92.27 (0.49), n = 10" in text
    assert "digits in place of small on MNIST, so its levels are not compared" in text
    assert "db is better" in text
    with (page.parent / "tables/side-by-side.csv").open(encoding="utf-8") as file:
        row = {row["method"]: row for row in csv.DictReader(file)}["db"]
    final = load(directory / "studies/digits/paper").final().to_pylist()
    means = {name: fmean(run["test_accuracy"] for run in final if run["regularizer"] == name) for name in GRID}
    assert float(row["published"]) == pytest.approx(0.92273)
    assert float(row["measured"]) == pytest.approx(max(means.values()))
    assert means[row["measured_setting"]] == max(means.values())
    assert {path.name for path in (page.parent / "figures").glob("*.svg")} == {
        "published-and-measured.svg",
        "settings.svg",
    }


def test_curves_are_drawn_where_the_paper_prints_no_numbers(directory, tmp_path):
    def without_numbers(scale):
        return tuple(dataclasses.replace(block, columns=(), baseline=None, sizes=()) for block in blocks(scale))

    path = declare(dataclasses.replace(ITEM, blocks=without_numbers), "small", tmp_path / "out")
    shutil.copytree(directory / "studies", path / "studies")
    page = analysis.report_reproduction(path)
    assert "Learning curves of the confirmed runs: test accuracy, digits" in page.read_text()
    text = (page.parent / "reproduction.md").read_text()
    assert "## Learning curves of the confirmed runs: test accuracy, digits" in text
    assert (page.parent / "figures/learning-digits.svg").exists()


def test_the_page_has_the_same_bytes_again(directory):
    first = analysis.report_reproduction(directory).read_bytes()
    assert analysis.report_reproduction(directory).read_bytes() == first


def test_what_is_not_trained_yet_is_told(tmp_path):
    path = declare(ITEM, "small", tmp_path / "out")
    text = (analysis.report_reproduction(path).parent / "reproduction.md").read_text()
    assert "studies/digits/paper: not begun" in text
    assert "studies/digits/validation: not begun" in text


def test_a_folder_of_another_reproduction_or_of_a_study_is_refused(tmp_path):
    path = declare(ITEM, "small", tmp_path / "out")
    with pytest.raises(StoreError, match="holds noise-and-penalties-table-2 at scale small; choose another"):
        declare(ITEM, "full", path)
    with pytest.raises(StoreError, match="holds noise-and-penalties-table-2 at scale small; choose another"):
        declare(ITEMS[1], "small", path)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.toml").write_text("")
    with pytest.raises(StoreError, match="holds a study; choose another"):
        declare(ITEM, "small", tmp_path / "study")


def test_going_on_declares_the_same_again(tmp_path):
    path = declare(ITEM, "small", tmp_path / "out")
    before = (path / "reproduction.json").read_bytes()
    assert declare(ITEM, "small", path) == path
    assert (path / "reproduction.json").read_bytes() == before


def test_each_accuracy_is_drawn(directory):
    declared = declaration(ITEM, "small")
    studies = {path: analysis.Snapshot(load(directory / path)) for path in blocks("small")[0].studies("x")}
    numbers = published_and_measured(side_by_side(declared, studies))
    (panel,) = numbers.panels
    (axes,) = draw_published_and_measured(numbers).axes
    drawn = sorted(x for line in axes.lines for x in line.get_xdata() if line.get_marker() not in ("None", "|"))
    assert drawn == pytest.approx(sorted(100 * point.mean for point in panel.points))


def test_the_answer_says_within_what_a_level_agrees():
    differs = SimpleNamespace(measured=object(), verdict="differs", published_gain=None, validated=None)
    assert "holds 0 and is within 0.5 points." in list(sentences([differs], []))[1]

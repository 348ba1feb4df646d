"""Writing the report of a reproduction."""

from __future__ import annotations

from typing import Any, Final

from analysis.exports import folder
from analysis.exports.rendered_figure import RenderedFigure, render_all
from analysis.figures.confirmed.learning import LEARNING_FIGURE
from analysis.figures.layout import PAPER, Page
from analysis.figures.reproduction import ACCURACY_FIGURE, SETTING_FIGURE, published_and_measured, settings
from analysis.figures.spec import FigureSpec
from analysis.measures.reproduction.claimed import claim_results
from analysis.measures.reproduction.declared import Reproduction, read
from analysis.measures.reproduction.side_by_side import side_by_side
from analysis.report.content import named
from analysis.report.reproduction import documents
from analysis.report.reproduction.content import content_of
from analysis.snapshot import Snapshot
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load

_TABLES: Final = ("side-by-side", "claims", "measured")


def report_reproduction(directory: str | StoragePath) -> StoragePath:
    """Write ``directory/report/index.html`` about a reproduction and return its path.

    ``directory``: what ``tune-reg reproduce`` wrote. Beside the page lie ``reproduction.md``, ``tables/`` and
    ``figures/``. Studies that are unfinished are reported with what they lack. Raises ``StoreError``, in one line, for
    a directory without a declaration.

    >>> report_reproduction("nowhere")
    Traceback (most recent call last):
    tune_reg.errors.StoreError: nowhere holds no reproduction.json: it is no result of tune-reg reproduce
    """
    path = to_path(directory)
    declared = read(path)
    names = [study for block in declared.blocks for study in (block.as_published, block.on_validation) if study]
    studies = {name: Snapshot(load(path / name)) for name in names if (path / name / "study.toml").exists()}
    files, figures = render(declared, studies)
    folder.write(path / "report", files, (*_TABLES, *figures))
    return path / "report" / "index.html"


def render(declared: Reproduction, studies: dict[str, Snapshot]) -> tuple[dict[str, bytes], list[str]]:
    """Every file of the report by its path, and the names of all figures that there can be."""
    rows = side_by_side(declared, studies)
    begun = ((block, studies.get(block.measured_in)) for block in declared.blocks)
    measured = [(block, data) for block, data in begun if data is not None]
    claims = claim_results(declared, studies)
    jobs: list[tuple[FigureSpec, Any, Any, Page, str]] = [
        (spec, numbers, numbers, PAPER[2], declared.name)
        for spec, numbers in (
            (ACCURACY_FIGURE, published_and_measured(rows)),
            (SETTING_FIGURE, settings(measured)),
        )
        if numbers.panels
    ]
    curves = {
        block.name: LEARNING_FIGURE._replace(
            name=f"learning-{block.name}", title=f"{LEARNING_FIGURE.title}, {block.name}"
        )
        for block in (() if rows else declared.blocks)  # where the paper prints no numbers, it draws these
    }
    for block, data in measured if curves else ():
        spec = named(curves[block.name], data)
        numbers = spec.compute(data)
        if numbers.panels:
            jobs.append((spec, numbers, numbers, PAPER[2], declared.name))
    figures: tuple[RenderedFigure, ...] = ()
    files: dict[str, bytes] = {}
    if jobs:
        figures, files = render_all(jobs)
    content = content_of(declared, studies, rows, claims, figures)
    files |= folder.table_files(content.tables, declared.name)
    files["reproduction.md"] = documents.text(content).encode()
    files["index.html"] = documents.page(content)
    return files, [ACCURACY_FIGURE.name, SETTING_FIGURE.name, *(spec.name for spec in curves.values())]

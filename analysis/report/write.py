"""Writing the report of one study: one HTML file that opens offline, and Markdown, LaTeX, BibTeX, CSV and figures."""

from __future__ import annotations

from analysis.exports import folder
from analysis.exports.rendered_figure import render_all
from analysis.figures.catalogue import FIGURES
from analysis.measures.lost import lost_sentence
from analysis.report import documents
from analysis.report.content import all_tables, content_of
from analysis.snapshot import Snapshot
from analysis.tables.catalogue import TABLES
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load


def report(directory: str | StoragePath) -> StoragePath:
    """Write ``directory/report/index.html`` and return its path.

    Beside it lie ``report.md``, ``references.bib``, every table as ``tables/NAME.csv`` and ``.tex``, and every
    figure as ``figures/NAME.csv``, ``.svg``, ``.pdf`` and ``.png``. The same tables give the same bytes, wherever
    the directory is and in whatever order rows were stored. An unfinished study is reported as far as it goes.
    Raises ``StoreError``, in one line, where there is no study, a file cannot be read, or the report cannot be
    written.

    >>> report("no-such-directory")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tune_reg.errors.StoreError: no-such-directory holds no study: study.toml is missing; run `tune-reg run ...
    """
    files = render(Snapshot(load(directory)))
    target = to_path(directory) / "report"
    folder.write(target, files, [*(spec.name for spec in FIGURES), *(spec.name for spec in TABLES)])
    return target / "index.html"


def render(data: Snapshot) -> dict[str, bytes]:
    """Every file of the report, by its path in ``report/``; the page comes last."""
    computed = ((spec, spec.compute(data)) for spec in FIGURES)
    figures, files = render_all(
        (spec._replace(caption=spec.caption + lost_sentence(data)), numbers)
        for spec, numbers in computed
        if numbers.panels
    )
    content = content_of(data, figures)
    files |= folder.table_files(all_tables(content))
    files["references.bib"] = content.bibtex.encode()
    files["report.md"] = documents.text(content).encode()
    files["index.html"] = documents.page(content)
    return files

"""Writing the report of one study: one HTML file that opens offline, and Markdown, LaTeX, BibTeX, CSV and figures."""

from __future__ import annotations

from typing import Literal

from analysis.exports import folder
from analysis.exports.rendered_figure import render_all
from analysis.figures.catalogue import FIGURES
from analysis.figures.layout import PAPER
from analysis.figures.selection import drawn
from analysis.measures.lost import lost_sentence
from analysis.metric_text import of_metric
from analysis.report import documents
from analysis.report.content import all_tables, content_of, named
from analysis.snapshot import Snapshot
from analysis.tables.catalogue import TABLES
from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load


def report(
    directory: str | StoragePath, out: str | StoragePath | None = None, *, columns: Literal[1, 2] = 2
) -> StoragePath:
    """Write ``directory/report/index.html`` and return its path.

    ``out``: where the report goes instead, for a directory that may not be written. ``columns``: of the page of the
    paper, for which PDF, PNG and LaTeX are laid out.

    Beside it lie ``report.md``, ``references.bib``, every table as ``tables/NAME.csv`` and ``.tex``, and every
    figure as ``figures/NAME.csv``, ``.svg``, ``.pdf`` and ``.png``. The same tables give the same bytes, wherever
    the directory is and in whatever order rows were stored. An unfinished study is reported as far as it goes.
    Raises ``StoreError``, in one line, where there is no study, a file cannot be read, or the report cannot be
    written, or where ``out`` is the directory of a study's results.

    >>> report("no-such-directory")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tune_reg.errors.StoreError: no-such-directory holds no study: study.toml is missing; run `tune-reg run ...
    """
    target = to_path(directory) / "report" if out is None else to_path(out)
    if (target / "study.toml").exists():
        raise StoreError(f"--out {target} holds the results of a study; name another directory")
    files = render(Snapshot(load(directory)), columns)
    folder.write(target, files, [*(spec.name for spec in FIGURES), *(spec.name for spec in TABLES)])
    return target / "index.html"


def render(data: Snapshot, columns: Literal[1, 2] = 2) -> dict[str, bytes]:
    """Every file of the report, by its path in ``report/``; the page comes last.

    ``columns`` of the page of the paper, 1 or 2, for which figures and tables are laid out.
    """
    study = str(data.study.get("name", "unnamed"))
    computed = ((named(spec, data), spec.compute(data)) for spec in FIGURES)
    figures, files = render_all(
        (
            spec._replace(
                title=text.in_metric(spec.title),
                caption=text.in_metric(spec.caption + said) + lost_sentence(data),
            ),
            numbers,
            shown,
            PAPER[columns],
            study,
        )
        for spec, numbers in computed
        if numbers.panels
        for shown, said in [drawn(data, spec, numbers)]
        for text in [of_metric(data, spec.name)]
    )
    content = content_of(data, figures)
    files |= folder.table_files(all_tables(content), content.name, columns)
    files["references.bib"] = content.bibtex.encode()
    files["report.md"] = documents.text(content).encode()
    files["index.html"] = documents.page(content)
    return files

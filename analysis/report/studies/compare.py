"""Writing the comparison of several studies: one set of regularizers on several data sets or models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from analysis.exports import folder
from analysis.exports.rendered_figure import RenderedFigure, render_all
from analysis.figures.layout import PAPER
from analysis.figures.studies import DIFFERENCE_FIGURE, differences
from analysis.metric_text import metric_text
from analysis.report.studies import documents
from analysis.report.studies.across import across
from analysis.report.studies.content import content_of, identity
from analysis.snapshot import Snapshot
from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load

_TABLES: Final = ("studies", "accuracy", "differences", "ranks")


def compare(directories: Sequence[str | StoragePath], out: str | StoragePath) -> StoragePath:
    """Write ``out/index.html`` about the studies in ``directories`` and return its path.

    Each study enters with its largest training set that has a confirmed run. Beside the page lie ``compare.md``,
    ``references.bib``, ``tables/`` and ``figures/`` as in the report of one study. An unfinished study is reported
    with what it lacks. Raises ``StoreError``, in one line, for fewer than two studies, the same study twice, a
    directory that holds none, and an ``out`` that belongs to a study.

    >>> compare(["one"], "out")
    Traceback (most recent call last):
    tune_reg.errors.StoreError: compare needs at least two studies, but got 1 (one); name more directories
    """
    paths = [to_path(directory) for directory in directories]
    target = to_path(out)
    if len(paths) < 2:
        got = ", ".join(map(str, paths)) or "none"
        raise StoreError(f"compare needs at least two studies, but got {len(paths)} ({got}); name more directories")
    for outer in (target, target.parent):
        if (outer / "study.toml").exists():
            raise StoreError(f"--out {target} must not lie in the results of a study ({outer}); name another directory")
    files = render(_snapshots(paths))
    folder.write(target, files, (*_TABLES, DIFFERENCE_FIGURE.name))
    return target / "index.html"


def render(studies: Mapping[str, Snapshot]) -> dict[str, bytes]:
    """Every file of the comparison, by its path; ``studies`` by the names that the page gives them."""
    rows = across(studies)
    texts = {metric_text(data) for data in studies.values()}
    # Differences in several metrics have no axis in common.
    words = {(text.words, text.unit) for text in texts}
    numbers = differences(rows if len(words) == 1 else (), next(iter(texts)))
    figures: tuple[RenderedFigure, ...] = ()
    files: dict[str, bytes] = {}
    if numbers.panels:
        spec = DIFFERENCE_FIGURE._replace(caption=numbers.metric.in_metric(DIFFERENCE_FIGURE.caption))
        figures, files = render_all([(spec, numbers, numbers, PAPER[2], "compared")])
    content = content_of(studies, rows, figures)
    files |= folder.table_files(content.tables, "compared")
    files["references.bib"] = content.bibtex.encode()
    files["compare.md"] = documents.text(content).encode()
    files["index.html"] = documents.page(content)
    return files


def _snapshots(paths: Sequence[StoragePath]) -> dict[str, Snapshot]:
    path_of: dict[str, StoragePath] = {}
    studies = []
    for path in paths:
        data = Snapshot(load(path))
        hash_ = identity(data)
        if hash_ in path_of:
            raise StoreError(
                f"{path} holds the same study as {path_of[hash_]} ({hash_}); name each study once, for ranks count "
                "studies"
            )
        path_of[hash_] = path
        studies.append(data)
    return dict(zip(_labels(studies), studies, strict=True))


def _labels(studies: Sequence[Snapshot]) -> list[str]:
    # Names of studies need not differ. Paths would, but they differ from machine to machine, too.
    labels = [str(data.study.get("name", "unnamed")) for data in studies]
    settings = [f"{data.study.get('model', '')} on {data.study.get('dataset', '')}" for data in studies]
    for additions in (settings, [identity(data) for data in studies]):
        often = Counter(labels)
        pairs = zip(labels, additions, strict=True)
        labels = [f"{name}, {addition}" if often[name] > 1 else name for name, addition in pairs]
    return labels

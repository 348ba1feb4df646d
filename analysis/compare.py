"""Several studies in one report: the same regularizers on several data sets or models."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from analysis import text
from analysis.across import AcrossRow, Ranks, across, average_ranks, rank_sentences
from analysis.answer import established
from analysis.citations import RANKS, Citation, citations
from analysis.exports import bibtex, folder, latex, markdown
from analysis.exports.drawn import Drawn, draw
from analysis.exports.numbers import numbers_csv
from analysis.exports.page import page, view
from analysis.exports.printed import Printed
from analysis.figures.studies import differences, draw_differences
from analysis.missing import missing
from analysis.sheets import Sheet
from analysis.statistics import Comparison
from analysis.tables import Snapshot
from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import load

_TABLES: Final = ("studies", "accuracy", "differences", "ranks")
_FIGURE: Final = "differences"


class StudyRow(NamedTuple):
    """One of the studies."""

    study: str
    dataset: str
    model: str
    data: str  # the training set that is compared, or none
    baseline: str
    regularizers: str
    picked_on: str
    hash: str


class Compared(NamedTuple):
    """Everything that the page says, in whatever form."""

    studies: tuple[StudyRow, ...]
    rows: tuple[AcrossRow, ...]
    ranks: Ranks | None
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    missing: tuple[str, ...]
    tables: tuple[Printed, ...]
    figures: tuple[Drawn, ...]
    citations: tuple[Citation, ...]
    bibtex: str


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
    for place in (target, target.parent):
        if (place / "study.toml").exists():
            raise StoreError(f"--out {target} must not lie in the results of a study ({place}); name another directory")
    files = render(_snapshots(paths))
    folder.write(target, files, (*_TABLES, _FIGURE))
    return target / "index.html"


def render(studies: Mapping[str, Snapshot]) -> dict[str, bytes]:
    """Every file of the comparison, by its path; ``studies`` by the names they are shown under."""
    rows = across(studies)
    files: dict[str, bytes] = {}
    numbers = differences(rows)
    figures: tuple[Drawn, ...] = ()
    if numbers.panels:
        sheet = Sheet(
            _FIGURE,
            "Differences to the baseline",
            "Points are mean paired differences of test accuracy within each study, bars their 95 % intervals; zero is "
            "the study's own baseline. The intervals are not corrected for their number; p in the table is.",
            lambda _: numbers,
            draw_differences,
        )
        drawn, forms = draw(sheet, numbers)
        figures, files = (drawn,), forms
    compared = _compared(studies, rows, figures)
    for printed in compared.tables:
        files |= {f"tables/{printed.name}.csv": printed.csv, f"tables/{printed.name}.tex": latex.table(printed)}
    files["references.bib"] = compared.bibtex.encode()
    files["compare.md"] = _markdown(compared).encode()
    files["index.html"] = _page(compared)
    return files


def _snapshots(paths: Sequence[StoragePath]) -> dict[str, Snapshot]:
    seen: dict[str, StoragePath] = {}
    found = []
    for path in paths:
        data = Snapshot(load(path))
        identity = _identity(data)
        if identity in seen:
            raise StoreError(
                f"{path} holds the same study as {seen[identity]} ({identity}); name each study once, for ranks count "
                "studies"
            )
        seen[identity] = path
        found.append(data)
    return dict(zip(_labels(found), found, strict=True))


def _identity(data: Snapshot) -> str:
    known = data.provenance.get("study_hash")
    text_ = json.dumps(data.study, sort_keys=True, default=str)
    return str(known) if known else hashlib.sha256(text_.encode()).hexdigest()[:16]


def _labels(studies: Sequence[Snapshot]) -> list[str]:
    # Names of studies need not differ. Paths would, but they are not the same on another machine.
    labels = [str(data.study.get("name", "unnamed")) for data in studies]
    settings = [f"{data.study.get('model', '')} on {data.study.get('dataset', '')}" for data in studies]
    for more in (settings, [_identity(data) for data in studies]):
        often = Counter(labels)
        labels = [f"{name}, {word}" if often[name] > 1 else name for name, word in zip(labels, more, strict=True)]
    return labels


def _compared(studies: Mapping[str, Snapshot], rows: tuple[AcrossRow, ...], figures: tuple[Drawn, ...]) -> Compared:
    ranks = average_ranks(rows)
    about = tuple(_about(label, data, rows) for label, data in studies.items())
    cited = [citation for data in studies.values() for citation in citations(data)]
    cited += RANKS if ranks else ()
    once = tuple({(citation.method, citation.bibtex): citation for citation in cited}.values())
    tables = (_studies(about), _accuracy(rows), _differences(rows), _ranks(ranks))
    return Compared(
        studies=about,
        rows=rows,
        ranks=ranks,
        sentences=(*_claimed(studies, rows), *rank_sentences(rows, len(studies))),
        cautions=_cautions(studies, rows),
        missing=tuple(f"{label}: {sentence}" for label, data in studies.items() for sentence in missing(data)),
        tables=tuple(printed for printed in tables if printed.rows),
        figures=figures,
        citations=once,
        bibtex="".join(f"{entry}\n\n" for entry in bibtex.entries(citation.bibtex for citation in once)),
    )


def _about(label: str, data: Snapshot, rows: tuple[AcrossRow, ...]) -> StudyRow:
    return StudyRow(
        study=label,
        dataset=str(data.study.get("dataset", "unknown")),
        model=str(data.study.get("model", "unknown")),
        data=next((row.data for row in rows if row.study == label), text.NONE),
        baseline=data.baseline or text.NONE,
        regularizers=", ".join(data.regularizers),
        picked_on="test set" if data.picked_on_test else "validation split",
        hash=_identity(data),
    )


def _claimed(studies: Mapping[str, Snapshot], rows: tuple[AcrossRow, ...]) -> tuple[str, ...]:
    tested = [(row, row.difference) for row in rows if row.difference is not None]
    passed = [(row, difference) for row, difference in tested if _shown(studies[row.study], difference)]
    if not passed:
        return (
            "In no study was a difference to its baseline shown "
            f"({text.count(len(tested), 'comparison')}, Holm-corrected together).",
        )
    return tuple(
        f"{row.study}: {row.regularizer} is {'more' if difference.mean > 0 else 'less'} accurate than {row.baseline}: "
        f"{text.estimate(difference, signed=True)} points, {text.count(difference.n, 'pair')} of runs, corrected p "
        f"{text.p_value(difference)}."
        for row, difference in passed
    )


def _shown(data: Snapshot, difference: Comparison) -> bool:
    return established(difference) and not data.picked_on_test


def _cautions(studies: Mapping[str, Snapshot], rows: tuple[AcrossRow, ...]) -> tuple[str, ...]:
    found = [
        "Ranks weigh every study alike and drop how large differences are. They say something about further data sets "
        "and models only so far as these studies are a fair sample of them."
    ]
    paper = [label for label, data in studies.items() if data.picked_on_test]
    if paper:
        found.append(
            "Strengths were picked on the test set, so that accuracies are optimistic and no difference may be "
            f"claimed: {', '.join(paper)}."
        )
    baselines = {row.baseline for row in rows}
    if len(baselines) > 1:
        found.append(f"The studies have different baselines ({', '.join(sorted(baselines))}).")
    same = Counter((data.study.get("dataset"), data.study.get("model")) for data in studies.values())
    if max(same.values()) > 1:
        found.append("Some studies share data set and model; they are no independent evidence.")
    return tuple(found)


def _studies(rows: tuple[StudyRow, ...]) -> Printed:
    headings = (
        "Study",
        "Data set",
        "Model",
        "Training data",
        "Baseline",
        "Regularizers",
        "Strengths picked on",
        "Hash",
    )
    caption = "Each study enters with its largest training set that has a confirmed run."
    return Printed("studies", "Studies", caption, headings, tuple(tuple(row) for row in rows), numbers_csv(rows))


def _accuracy(rows: tuple[AcrossRow, ...]) -> Printed:
    names = tuple(dict.fromkeys(row.regularizer for row in rows))
    cells = {(row.study, row.regularizer): row for row in rows}
    shown = tuple(
        (study, *(_mean(cells.get((study, name))) for name in names))
        for study in dict.fromkeys(row.study for row in rows)
    )
    caption = "Mean test accuracy in percent over confirmed runs, with 95 % intervals in brackets; n is runs."
    return Printed("accuracy", "Test accuracy, %", caption, ("Study", *names), shown, numbers_csv(rows))


def _mean(row: AcrossRow | None) -> str:
    if row is None or row.test_accuracy is None:
        return text.NONE
    return f"{text.estimate(row.test_accuracy)} (n = {row.test_accuracy.n})"


def _differences(rows: tuple[AcrossRow, ...]) -> Printed:
    compared = [(row, row.difference) for row in rows if row.difference is not None]
    shown = tuple(
        (
            *(row.study, row.regularizer, row.baseline, text.estimate(difference, signed=True)),
            *(str(difference.n), text.p_value(difference)),
            *("; or ".join(map(text.params, row.params)), row.notes),
        )
        for row, difference in compared
    )
    headings = (
        *("Study", "Regularizer", "Against", "Difference, points", "Pairs", "p (Holm)"),
        *("Winning hyperparameters", "Notes"),
    )
    caption = (
        "Differences of mean test accuracy to the baseline of the same study, paired by seed, with 95 % intervals; p "
        "is the exact sign-flip test's, Holm-corrected over all rows of this table."
    )
    numbers = numbers_csv([row for row, _ in compared])
    return Printed("differences", "Differences to the baseline", caption, headings, shown, numbers)


def _ranks(ranks: Ranks | None) -> Printed:
    rows = ranks.rows if ranks else ()
    headings = ("Regularizer", "Average rank", "Studies", "First in", *(ranks.studies if ranks else ()))
    shown = tuple(
        (
            *(row.regularizer, f"{row.average_rank:.2f}", str(row.studies), str(sum(rank == 1 for rank in row.ranks))),
            *(f"{rank:g}" for rank in row.ranks),
        )
        for row in rows
    )
    caption = "Rank 1 is the highest mean test accuracy of a study; ties share their mean rank."
    return Printed("ranks", "Ranks", caption, headings, shown, numbers_csv(rows))


def _page(compared: Compared) -> bytes:
    return page(
        "compare.html.j2",
        name="Studies compared",
        kind="comparison",
        sections=[
            ("answer", "Answer"),
            *((printed.name, printed.title) for printed in compared.tables),
            *([("figures", "Figures")] if compared.figures else []),
            ("methods", "Citations"),
        ],
        **{**compared._asdict(), "tables": tuple(view(printed) for printed in compared.tables)},
        cited=[(citation.method, bibtex.keys(citation.bibtex)) for citation in compared.citations],
    )


def _markdown(compared: Compared) -> str:
    escape = markdown.escape
    lines = ["# Studies compared"]
    if compared.missing:
        lines += ["**Not everything that was asked for is here.** Missing:", markdown.bullets(compared.missing)]
    lines += [
        "## Answer",
        markdown.bullets(compared.sentences),
        "### Keep in mind",
        markdown.bullets(compared.cautions),
    ]
    for printed in compared.tables:
        lines += [f"## {escape(printed.title)}", escape(printed.caption), markdown.table(printed)]
    for figure in compared.figures:
        picture = f"![{escape(figure.title)}](figures/{figure.name}.png)"
        lines += [f"## {escape(figure.title)}, drawn", picture, escape(figure.caption)]
    if compared.bibtex:
        lines += ["## Citations", markdown.fenced(compared.bibtex)]
    return markdown.document(lines)

"""Everything that the comparison of several studies says, whatever its form."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from analysis.exports.rendered_figure import RenderedFigure
from analysis.exports.rendered_table import RenderedTable
from analysis.formatting import NONE, count
from analysis.measures.claim_rule import may_be_claimed
from analysis.measures.results import largest_measured
from analysis.metric_text import metric_text
from analysis.report.citations import Citation, bibtex_file, citations, cited
from analysis.report.missing import missing
from analysis.report.sentences import claim_text
from analysis.report.studies.across import AcrossRow, rank_sentences, ranks_of
from analysis.report.studies.tables import StudyRow, difference_table, rank_table, study_table, value_table
from analysis.snapshot import Snapshot
from analysis.statistics.ranks import PUBLICATIONS, Ranks


class ComparisonContent(NamedTuple):
    """Everything that the comparison of several studies says."""

    studies: tuple[StudyRow, ...]
    rows: tuple[AcrossRow, ...]
    ranks: Ranks | None
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    missing: tuple[str, ...]
    tables: tuple[RenderedTable, ...]
    figures: tuple[RenderedFigure, ...]
    citations: tuple[Citation, ...]
    bibtex: str


def content_of(
    studies: Mapping[str, Snapshot], rows: tuple[AcrossRow, ...], figures: tuple[RenderedFigure, ...]
) -> ComparisonContent:
    """What the comparison of several studies says; ``rows`` as ``across`` gives them."""
    texts = {label: metric_text(data) for label, data in studies.items()}
    ranks = ranks_of(rows, texts)
    about = tuple(_about(label, data, rows) for label, data in studies.items())
    to_cite = [citation for data in studies.values() for citation in citations(data)]
    to_cite += cited(PUBLICATIONS) if ranks else []
    once = tuple({(citation.method, citation.bibtex): citation for citation in to_cite}.values())
    tables = (study_table(about), value_table(rows, texts), difference_table(rows, texts), rank_table(ranks, texts))
    return ComparisonContent(
        studies=about,
        rows=rows,
        ranks=ranks,
        sentences=(*_claimed(studies), *rank_sentences(rows, len(studies), texts)),
        cautions=_cautions(studies, rows),
        missing=tuple(f"{label}: {sentence}" for label, data in studies.items() for sentence in missing(data)),
        tables=tuple(table for table in tables if table.rows),
        figures=figures,
        citations=once,
        bibtex=bibtex_file(once),
    )


def _about(label: str, data: Snapshot, rows: tuple[AcrossRow, ...]) -> StudyRow:
    return StudyRow(
        study=label,
        dataset=str(data.study.get("dataset", "own data" if "trainer" in data.study else "unknown")),
        model=str(data.study.get("model", data.study.get("trainer", "unknown"))),
        data=next((row.data for row in rows if row.study == label), NONE),
        baseline=data.baseline or NONE,
        regularizers=", ".join(data.regularizers),
        picked_on="test set" if data.picked_on_test else "validation split",
        hash=identity(data),
    )


def identity(data: Snapshot) -> str:
    """The hash of a study: as its provenance gives it, else made of its settings."""
    given = data.provenance.get("study_hash")
    settings = json.dumps(data.study, sort_keys=True, default=str)
    return str(given) if given else hashlib.sha256(settings.encode()).hexdigest()[:16]


def _claimed(studies: Mapping[str, Snapshot]) -> tuple[str, ...]:
    compared = [
        (label, data, row.comparison)
        for label, data in studies.items()
        for row in largest_measured(data)
        if row.comparison is not None
    ]
    claims = [f"{label}: {claim_text(data, row)}." for label, data, row in compared if may_be_claimed(data, row)]
    none = (
        "In no study was a difference to its baseline established "
        f"({count(len(compared), 'comparison')}, each corrected within its own study)."
    )
    return tuple(claims) or (none,)


def _cautions(studies: Mapping[str, Snapshot], rows: tuple[AcrossRow, ...]) -> tuple[str, ...]:
    sentences = [
        "Each verdict is that of the study's own report, whose level holds within the study: of many studies some "
        "claim by chance.",
        "Ranks weigh every study alike and drop how large differences are. They say something about further data sets "
        "and models only so far as these studies are a fair sample of them.",
    ]
    paper = [label for label, data in studies.items() if data.picked_on_test]
    if paper:
        sentences.append(
            "Strengths were picked on the test set, so that accuracies are optimistic and no difference may be "
            f"claimed: {', '.join(paper)}."
        )
    metrics = sorted({metric_text(data).words for data in studies.values()})
    if len(metrics) > 1:
        sentences.append(
            f"The studies are judged by different metrics ({', '.join(metrics)}), so that their numbers cannot be set "
            "beside each other, and no figure of them is drawn."
        )
    baselines = {row.baseline for row in rows}
    if len(baselines) > 1:
        sentences.append(f"The studies have different baselines ({', '.join(sorted(baselines))}).")
    # What data a trainer brings is not known: each study counts as one of its own.
    same = Counter((data.study.get("dataset", label), data.study.get("model")) for label, data in studies.items())
    if max(same.values()) > 1:
        sentences.append("Some studies share data set and model; they are no independent evidence.")
    return tuple(sentences)

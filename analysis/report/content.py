"""Everything that the report of one study says, whatever its form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from analysis.exports.rendered_figure import RenderedFigure
from analysis.exports.rendered_table import RenderedTable, rendered
from analysis.measures.lost import lost_sentence
from analysis.measures.results import result_table
from analysis.report import study_facts
from analysis.report.citations import Citation, bibtex_file, citations
from analysis.report.claims import Claim, claims
from analysis.report.missing import missing
from analysis.report.snippet import snippet
from analysis.report.verdict import Verdict, verdict
from analysis.snapshot import Snapshot
from analysis.tables.catalogue import TABLES
from analysis.tables.results import results_caption, results_table
from analysis.tables.search.budgets import BUDGET_TABLE
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where

STATISTICS: Final = (
    "Intervals are 95 %, over seeds: Student’s t, whose variance is not taken for less than the test images can "
    "resolve; none for one run. Differences are paired by seed. The primary comparisons were declared before: test "
    "accuracy on the largest training set, where the study does not declare another measure; t with Holm’s correction "
    "over the methods, or where seeds were added in rounds the interval of the last look at its nominal level. All "
    "others are secondary, corrected among themselves, and claimed only beside a primary claim. A difference may be "
    "claimed where it is established between the settings that the searches picked, and also with the luck of both "
    "searches, where the search’s model knows that. The test by sign flips is a check and no gate. A run that diverged "
    "is counted and has no accuracy."
)
NO_CLAIM: Final = "Nothing: no difference to the baseline was established."


class Content(NamedTuple):
    """Everything that the report of one study says, in its order."""

    name: str
    subtitle: str
    picked_on_test: bool
    missing: tuple[str, ...]
    verdict: Verdict | None
    verdict_data: str  # the training data of the verdict, in words
    claims: tuple[Claim, ...]
    results: RenderedTable | None
    figures: tuple[RenderedFigure, ...]
    tables: tuple[RenderedTable, ...]
    question: tuple[tuple[str, str], ...]
    budget: RenderedTable
    methods: tuple[study_facts.Method, ...]
    citations: tuple[Citation, ...]
    bibtex: str
    commands: str
    provenance: tuple[tuple[str, str], ...]
    snippet: str | None


def content_of(data: Snapshot, figures: Iterable[RenderedFigure]) -> Content:
    """What the report of a study says; ``figures`` are rendered before, in other processes."""
    study, to_cite = data.study, citations(data)
    judged = verdict(data)
    best = judged.rows[0] if judged else None
    return Content(
        name=str(study.get("name", "unnamed")),
        subtitle=f"Which regularizer for {study.get('model', 'this model')} on "
        f"{study.get('dataset', 'this data set')}, how strong, and whether to believe it.",
        picked_on_test=data.picked_on_test,
        missing=missing(data),
        verdict=judged,
        verdict_data=where(data, best.fraction, best.search_fraction) if best else "",
        claims=claims(data),
        results=_results(data),
        figures=tuple(figures),
        tables=tuple(
            rendered(_with_lost(data, spec, table), table)
            for spec in TABLES
            for table in [spec.compute(data)]
            if table.rows
        ),
        question=study_facts.question(data),
        budget=rendered(BUDGET_TABLE, BUDGET_TABLE.compute(data)),
        methods=study_facts.methods(data),
        citations=to_cite,
        bibtex=bibtex_file(to_cite),
        commands=study_facts.commands(data),
        provenance=study_facts.provenance(data),
        snippet=snippet(data),
    )


def all_tables(content: Content) -> list[RenderedTable]:
    """Every table of a report that has rows, in its order: results, the catalogue, the budget."""
    tables = [content.results, *content.tables, content.budget]
    return [table for table in tables if table is not None and table.rows]


def _with_lost(data: Snapshot, spec: TableSpec, table: Table) -> TableSpec:
    """The table with a caption that names the methods that failed and have no row in it."""
    shown = {cell for row in table.rows for cell in row}
    return spec._replace(caption=spec.caption + lost_sentence(data, shown))


def _results(data: Snapshot) -> RenderedTable | None:
    if not result_table(data):
        return None
    spec = TableSpec("results", "Results", results_caption(data), results_table)
    return rendered(spec, spec.compute(data))

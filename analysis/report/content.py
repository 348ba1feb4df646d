"""Everything that the report of one study says, whatever its form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from analysis.exports.rendered_figure import RenderedFigure
from analysis.exports.rendered_table import RenderedTable, rendered
from analysis.figures.confirmed.paired_differences import HEAD_FIGURE
from analysis.figures.spec import FigureSpec
from analysis.formatting import scored_on
from analysis.measures.lost import lost_sentence
from analysis.measures.results import result_table
from analysis.metric_text import metric_text, of_metric
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
from analysis.tables.short_results import SHORT_TABLE
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where

Spec = TypeVar("Spec", FigureSpec, TableSpec)

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
#: The heading above the claims.
CLAIMS: Final = "What may and may not be claimed"
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
    short: RenderedTable | None  # beside the verdict, as is the figure
    head_to_head: RenderedFigure | None
    results: RenderedTable | None
    figures: tuple[RenderedFigure, ...]  # all others
    tables: tuple[RenderedTable, ...]
    question: tuple[tuple[str, str], ...]
    budget: RenderedTable
    methods: tuple[study_facts.Method, ...]
    citations: tuple[Citation, ...]
    bibtex: str
    commands: str
    statistics: str
    provenance: tuple[tuple[str, str], ...]
    snippet: str | None


def content_of(data: Snapshot, figures: Iterable[RenderedFigure]) -> Content:
    """What the report of a study says; ``figures`` are rendered before, in other processes."""
    study, to_cite = data.study, citations(data)
    judged = verdict(data)
    best = judged.rows[0] if judged else None
    computed = ((named(spec, data), spec.compute(data)) for spec in TABLES)
    tables = tuple(_rendered(data, spec, table) for spec, table in computed if table.rows)
    figures = tuple(figures)
    return Content(
        name=str(study.get("name", "unnamed")),
        subtitle=f"Which regularizer for {study.get('model', 'this model')} on "
        f"{study.get('dataset', 'this data set')}, how strong, and whether to believe it.",
        picked_on_test=data.picked_on_test,
        missing=missing(data),
        verdict=judged,
        verdict_data=where(data, best.fraction, best.search_fraction) if best else "",
        claims=claims(data),
        short=next((table for table in tables if table.name == SHORT_TABLE.name), None),
        head_to_head=next((figure for figure in figures if figure.name == HEAD_FIGURE.name), None),
        results=_results(data),
        figures=tuple(figure for figure in figures if figure.name != HEAD_FIGURE.name),
        tables=tuple(table for table in tables if table.name != SHORT_TABLE.name),
        question=study_facts.question(data),
        budget=rendered(BUDGET_TABLE, BUDGET_TABLE.compute(data)),
        methods=study_facts.methods(data),
        citations=to_cite,
        bibtex=bibtex_file(to_cite),
        commands=study_facts.commands(data),
        statistics=metric_text(data).in_metric(STATISTICS),
        provenance=study_facts.provenance(data),
        snippet=snippet(data),
    )


def all_tables(content: Content) -> list[RenderedTable]:
    """Every table of a report that has rows, in its order: the short one, results, the catalogue, the budget."""
    tables = [content.short, content.results, *content.tables, content.budget]
    return [table for table in tables if table is not None and table.rows]


def named(spec: Spec, data: Snapshot) -> Spec:
    """A figure or table whose title and caption say whether its values are of validation or of test images."""
    scored = scored_on(picked_on_test=data.picked_on_test)
    return spec._replace(title=spec.title.format(scored=scored), caption=spec.caption.format(scored=scored))


def _rendered(data: Snapshot, spec: TableSpec, table: Table) -> RenderedTable:
    """A table in the words of the study's metric; its caption names the methods that failed and have no row in it."""
    text, shown = of_metric(data, spec.name), {cell for row in table.rows for cell in row}
    caption = text.in_metric(spec.caption) + lost_sentence(data, shown)
    made = rendered(spec._replace(title=text.in_metric(spec.title), caption=caption), table)
    header, _, rows = made.csv.partition(b"\n")
    return made._replace(csv=text.in_header(header.decode()).encode() + b"\n" + rows)


def _results(data: Snapshot) -> RenderedTable | None:
    if not result_table(data):
        return None
    spec = TableSpec("results", "Results on the test set", results_caption(data), results_table)
    return _rendered(data, spec, spec.compute(data))

"""The report of one study as a page of HTML and as Markdown."""

from __future__ import annotations

from typing import Any

from analysis.exports import html, markdown
from analysis.report.citations import keys_by_method
from analysis.report.content import NO_CLAIM, STATISTICS, Content, all_tables
from analysis.report.kinds import KINDS, MAY


def page(content: Content) -> bytes:
    """The report as one HTML file that opens offline."""
    values: dict[str, Any] = content._asdict()
    tables = tuple(html.table_view(table) for table in content.tables)
    verdict = content.verdict
    values |= {
        "kind": "report",
        "sections": [
            ("answer", "Answer"),
            ("results", "Results"),
            ("figures", "Figures"),
            *([("tables", "Tables")] if tables else []),
            ("asked", "What was asked"),
            ("budget", "Budget"),
            *([("use", "Use the winner")] if content.snippet else []),
            ("methods", "Methods and citations"),
            ("provenance", "Provenance"),
        ],
        "more_data": bool(verdict and content.results and len(content.results.rows) > len(verdict.rows)),
        "kinds": KINDS,
        "nothing": NO_CLAIM,
        "results": html.table_view(content.results) if content.results else None,
        "tables": tables,
        "budget": html.table_view(content.budget),
        "cited": keys_by_method(content.citations),
        "statistics": STATISTICS,
    }
    return html.page("report.html.j2", **values)


def text(content: Content) -> str:
    """The report as Markdown."""
    escape = markdown.escape
    lines = [f"# {escape(content.name)}", escape(content.subtitle)]
    if content.picked_on_test:
        lines.append("**Protocol “paper”: strengths were picked on the test set; every test accuracy is optimistic.**")
    lines += [*markdown.missing(content.missing), "## Answer"]
    if content.verdict is None:
        lines.append("No confirmed run ended yet, so there is no answer yet.")
    else:
        lines += [
            f"**Which regularizer?** {escape(content.verdict.which)}",
            f"**How strong?** {escape(content.verdict.how_strong)}",
            f"**Decided?** {escape(content.verdict.decided)}",
            f"**Can I believe it?** {escape(content.verdict.believe)}",
        ]
    for kind, heading in KINDS if content.claims else ():
        sentences = [claim.sentence for claim in content.claims if claim.kind == kind]
        if sentences or kind == MAY:
            lines += [f"### {heading}", markdown.bullets(sentences) if sentences else NO_CLAIM]
    for table in all_tables(content):
        lines += markdown.table_section(table)
    for figure in content.figures:
        lines += markdown.figure_section(figure, figure.title)
    lines += ["## What was asked", markdown.bullets(f"{name}: {value}" for name, value in content.question)]
    if content.snippet:
        lines += ["## Use the winner", markdown.fenced(content.snippet)]
    lines.append("## Methods")
    for method in content.methods:
        lines += [f"### {escape(method.name)}", *([markdown.fenced(method.formula)] if method.formula else [])]
    lines += ["### Statistics", escape(STATISTICS)]
    if content.bibtex:
        lines += ["## Citations", markdown.fenced(content.bibtex)]
    lines += ["## Provenance", markdown.fenced(content.commands)]
    lines += [markdown.bullets(f"{name}: {value}" for name, value in content.provenance)]
    return markdown.document(lines)

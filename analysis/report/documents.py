"""The report of one study as a page of HTML and as Markdown."""

from __future__ import annotations

from typing import Any

from analysis.exports import html, markdown
from analysis.report.citations import keys_by_method
from analysis.report.content import CLAIMS, NO_CLAIM, Content
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
            *([("claims", CLAIMS)] if content.claims else []),
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
        "claimed": CLAIMS,
        "short": html.table_view(content.short) if content.short else None,
        "results": html.table_view(content.results) if content.results else None,
        "tables": tables,
        "budget": html.table_view(content.budget),
        "cited": keys_by_method(content.citations),
    }
    return html.page("report.html.j2", **values)


def text(content: Content) -> str:
    """The report as Markdown."""
    escape = markdown.escape
    lines = [f"# {escape(content.name)}", escape(content.subtitle)]
    if content.picked_on_test:
        lines.append("**Protocol “paper”: strengths were picked on the test set; every test accuracy is optimistic.**")
    lines += [*markdown.missing(content.missing), "## Answer"]
    lines += [*_answer(content), *_claims(content)]
    if content.results:
        lines += markdown.table_section(content.results)
    for figure in content.figures:
        lines += markdown.figure_section(figure, figure.title)
    for table in content.tables:
        lines += markdown.table_section(table)
    lines += ["## What was asked", markdown.bullets(f"{name}: {value}" for name, value in content.question)]
    if content.budget.rows:
        lines += markdown.table_section(content.budget)
    if content.snippet:
        lines += ["## Use the winner", markdown.fenced(content.snippet)]
    lines.append("## Methods")
    for method in content.methods:
        lines += [f"### {escape(method.name)}", *([markdown.fenced(method.formula)] if method.formula else [])]
    lines += ["### Statistics", escape(content.statistics)]
    if content.bibtex:
        lines += ["## Citations", markdown.fenced(content.bibtex)]
    lines += ["## Provenance", markdown.fenced(content.commands)]
    lines += [markdown.bullets(f"{name}: {value}" for name, value in content.provenance)]
    return markdown.document(lines)


def _answer(content: Content) -> list[str]:
    """The Markdown blocks of the verdict, the short table and the head-to-head figure."""
    if content.verdict is None:
        lines = ["No confirmed run ended yet, so there is no answer yet."]
    else:
        lines = [
            f"**Which regularizer?** {markdown.escape(content.verdict.which)}",
            f"**How strong?** {markdown.escape(content.verdict.how_strong)}",
            f"**Can I believe it?** {markdown.escape(content.verdict.believe)}",
            markdown.escape(f"On {content.verdict_data}."),
        ]
    if content.short:
        lines += markdown.table_section(content.short, level=3)
    if content.head_to_head:
        lines += markdown.figure_section(content.head_to_head, content.head_to_head.title, level=3)
    return lines


def _claims(content: Content) -> list[str]:
    """The Markdown blocks of the claims."""
    lines = [f"## {CLAIMS}"] if content.claims else []
    for kind, heading in KINDS if content.claims else ():
        sentences = [claim.sentence for claim in content.claims if claim.kind == kind]
        if sentences or kind == MAY:
            lines += [f"### {heading}", markdown.bullets(sentences) if sentences else NO_CLAIM]
    return lines

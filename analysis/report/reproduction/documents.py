"""The report of a reproduction as a page of HTML and as Markdown."""

from __future__ import annotations

from analysis.exports import html, markdown
from analysis.report.reproduction.content import ReproductionContent


def page(content: ReproductionContent) -> bytes:
    """The report as one HTML file that opens offline."""
    return html.page(
        "reproduction.html.j2",
        name=content.declared.title,
        kind="reproduction",
        sections=[
            ("answer", "Answer"),
            *([("figures", "Figures")] if content.figures else []),
            *((table.name, table.title) for table in content.tables),
            ("why", "Choices and deviations"),
            ("made", "How it was made"),
        ],
        **{**content._asdict(), "tables": tuple(map(html.table_view, content.tables))},
    )


def text(content: ReproductionContent) -> str:
    """The report as Markdown."""
    lines = [f"# {markdown.escape(content.declared.title)}", *markdown.missing(content.missing)]
    lines += ["## Answer", markdown.bullets(content.sentences)]
    for figure in content.figures:
        lines += markdown.figure_section(figure, figure.title)
    for table in content.tables:
        lines += markdown.table_section(table)
    lines += ["## Where the paper is silent", markdown.bullets(content.choices)]
    if content.deviations:
        lines += ["## What is done otherwise", markdown.bullets(content.deviations)]
    lines += ["## How it was made", markdown.bullets(f"{key}: {value}" for key, value in content.made)]
    return markdown.document(lines)

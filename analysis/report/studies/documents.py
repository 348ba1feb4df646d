"""The comparison of several studies as a page of HTML and as Markdown."""

from __future__ import annotations

from analysis.exports import html, markdown
from analysis.report.citations import keys_by_method
from analysis.report.studies.content import ComparisonContent


def page(content: ComparisonContent) -> bytes:
    """The comparison as one HTML file that opens offline."""
    return html.page(
        "compare.html.j2",
        name="Studies compared",
        kind="comparison",
        sections=[
            ("answer", "Answer"),
            *((table.name, table.title) for table in content.tables),
            *([("figures", "Figures")] if content.figures else []),
            ("methods", "Citations"),
        ],
        **{**content._asdict(), "tables": tuple(map(html.table_view, content.tables))},
        cited=keys_by_method(content.citations),
    )


def text(content: ComparisonContent) -> str:
    """The comparison as Markdown."""
    lines = ["# Studies compared", *markdown.missing(content.missing)]
    lines += ["## Answer", markdown.bullets(content.sentences)]
    lines += ["### Keep in mind", markdown.bullets(content.cautions)]
    for table in content.tables:
        lines += markdown.table_section(table)
    for figure in content.figures:
        lines += markdown.figure_section(figure, f"{figure.title}, drawn")
    if content.bibtex:
        lines += ["## Citations", markdown.fenced(content.bibtex)]
    return markdown.document(lines)

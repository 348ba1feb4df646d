"""Tables and text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from analysis.exports.csv_file import formulas_sentence
from analysis.exports.rendered_figure import RenderedFigure
from analysis.exports.rendered_table import RenderedTable, numeric_columns

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]#|~$!])")


def escape(text: str) -> str:
    r"""Text escaped so that Markdown and HTML show it as it is, on one line.

    >>> print(escape("<b> a_b | c"))
    &lt;b&gt; a\_b \| c
    """
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(_SPECIAL.sub(r"\\\1", html).split())


def table(rendered: RenderedTable) -> str:
    r"""A table in GitHub's Markdown, numbers to the right.

    >>> print(table(RenderedTable("t", "T", "", ("name", "n"), (("a", "5"),), b"")), end="")
    | name | n |
    | :--- | ---: |
    | a | 5 |
    """
    numbers = numeric_columns(rendered.rows)
    lines = [
        [escape(heading) for heading in rendered.headings],
        ["---:" if number else ":---" for number in numbers],
        *(
            [
                f"**{escape(cell)}**" if (index, column) in rendered.bold else escape(cell)
                for column, cell in enumerate(row)
            ]
            for index, row in enumerate(rendered.rows)
        ),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table_section(rendered: RenderedTable, level: int = 2) -> list[str]:
    """The Markdown blocks of a table: heading of so many signs, caption, rows."""
    caption = escape(rendered.caption + formulas_sentence(rendered.csv))
    return [f"{'#' * level} {escape(rendered.title)}", caption, table(rendered)]


def figure_section(rendered: RenderedFigure, heading: str, level: int = 2) -> list[str]:
    """The Markdown blocks of a figure: heading of so many signs, picture, caption."""
    picture = f"![{escape(rendered.title)}](figures/{rendered.name}.png)"
    return [f"{'#' * level} {escape(heading)}", picture, escape(rendered.caption)]


def missing(sentences: Sequence[str]) -> list[str]:
    """The Markdown blocks that say what an unfinished study lacks; none where it lacks nothing."""
    if not sentences:
        return []
    return ["**Not everything that was asked for is here.** Missing:", bullets(sentences)]


def fenced(text: str) -> str:
    """Text as a block of code, with a fence that does not occur in the text.

    >>> print(fenced("a"), end="")
    ```
    a
    ```
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}\n"


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list in Markdown.

    >>> bullets(["a", "b"])
    '- a\\n- b'
    """
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def document(blocks: Iterable[str]) -> str:
    """Blocks of Markdown as one document, with an empty line between them; empty blocks are left out.

    >>> document(["# a", "", "b"])
    '# a\\n\\nb\\n'
    """
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"

"""Tables and text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from analysis.exports.printed import Printed, numeric_columns

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]#|~$!])")


def escape(text: str) -> str:
    r"""``text`` so that Markdown shows it as it is, on one line; HTML in it is shown, not obeyed.

    >>> print(escape("<b> a_b | c"))
    &lt;b&gt; a\_b \| c
    """
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(_SPECIAL.sub(r"\\\1", html).split())


def table(printed: Printed) -> str:
    r"""``printed`` as a table of GitHub's Markdown, numbers to the right.

    >>> print(table(Printed("t", "T", "", ("name", "n"), (("a", "5"),), b"")), end="")
    | name | n |
    | :--- | ---: |
    | a | 5 |
    """
    numbers = numeric_columns(printed.rows)
    lines = [
        [escape(heading) for heading in printed.headings],
        ["---:" if number else ":---" for number in numbers],
        *([escape(cell) for cell in row] for row in printed.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fenced(text: str) -> str:
    """``text`` as a block of code, with a fence that does not occur in it.

    >>> print(fenced("a"), end="")
    ```
    a
    ```
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}\n"


def bullets(sentences: Iterable[str]) -> str:
    """A list of ``sentences``.

    >>> bullets(["a", "b"])
    '- a\\n- b'
    """
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def document(blocks: Iterable[str]) -> str:
    """``blocks`` with an empty line between them, without the empty ones.

    >>> document(["# a", "", "b"])
    '# a\\n\\nb\\n'
    """
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"

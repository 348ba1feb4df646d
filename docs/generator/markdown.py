"""Markdown for pages that are made: tables, and links that lead out of the site."""

import re
from collections.abc import Sequence

#: Pages of the site that stand in for files outside docs/.
_PAGES = {
    "README.md#which-numbers-to-trust": "/made/which-numbers.md",
    "CONTRIBUTING.md": "/made/contributing.md",
    "CHANGELOG.md": "/made/release-notes.md",
    # Sphinx has a page of its own that is called search.
    "docs/search.md": "/made/how-it-searches.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; bars and line breaks in cells are escaped.

    >>> print(table(["a", "b"], [["1", "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    """
    lines = [list(heads), ["---"] * len(heads), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def inside(text: str, folder: str, *, moved: bool = False) -> str:
    """The links of a file of ``folder`` ("docs", "docs/clusters" or "" for the root) as the site has them.

    ``moved``: its page has another place. Links to files that have no page become plain text.

    >>> inside("see [this](../CHANGELOG.md), [that](lanes.md), [code](../tune_reg/api.py)", "docs")
    'see [this](/made/release-notes.md), [that](lanes.md), code'
    >>> inside("[settings](docs/search.md#settings), [lanes](docs/lanes.md)", "", moved=True)
    '[settings](/made/how-it-searches.md#settings), [lanes](/lanes.md)'
    """
    return _LINK.sub(lambda match: _link(match[1], match[2], folder, moved=moved), text)


def _link(text: str, target: str, folder: str, *, moved: bool) -> str:
    parts = [part for part in folder.split("/") if part]
    steps = target.split("/")
    while steps and steps[0] in (".", ".."):
        if steps.pop(0) == ".." and parts:
            parts.pop()
    path = "/".join([*parts, *steps])
    if path in _PAGES:
        return f"[{text}]({_PAGES[path]})"
    file, mark, heading = path.partition("#")
    if file in _PAGES:
        return f"[{text}]({_PAGES[file]}{mark}{heading})"
    if path.startswith("docs/") and path.partition("#")[0].endswith((".md", ".svg", ".png", ".html")):
        return f"[{text}](/{path.removeprefix('docs/')})" if moved else f"[{text}]({target})"
    return text

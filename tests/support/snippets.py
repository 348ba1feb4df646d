"""The commands and the code that pages show, in the order in which a reader meets them.

A comment in the line before a block says what to do with it: ``<!-- file: NAME -->`` puts it into a file, and
``<!-- not run: REASON -->`` leaves it. Blocks in a file of the repository (``literalinclude``) are that file.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RUN = ("sh", "python", "toml")

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>file|not run): (?P<text>[^\n]*?) -->\n)?"
    r"^ *```(?P<head>[^\n`]*)\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


class Snippet(NamedTuple):
    language: str
    text: str
    #: Where it goes, or "".
    file: str = ""
    #: Why it is not run, or "".
    reason: str = ""


def pages():
    """README.md and every page under docs/ that is not made at build time."""
    docs = ROOT / "docs"
    made = {"made", "extra"}
    written = [path for path in docs.rglob("*.md") if path.relative_to(docs).parts[0] not in made]
    return [ROOT / "README.md", *sorted(written)]


def snippets(page):
    """The blocks of a page that are code."""
    return list(_blocks(page.read_text(encoding="utf-8"), page.parent))


def _blocks(text, folder):
    for match in _BLOCK.finditer(text):
        language, body = match["head"].strip(), match["body"]
        if language.startswith("{literalinclude}"):
            path = folder / language.removeprefix("{literalinclude}").strip()
            language, body = {".py": "python", ".toml": "toml"}[path.suffix], path.read_text(encoding="utf-8")
        if language in RUN:
            mark = match["mark"]
            yield Snippet(
                language, body, match["text"] if mark == "file" else "", match["text"] if mark == "not run" else ""
            )

"""The commands that the pages in ``docs`` show."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def commands(page, number, replaced=()):
    """The ``number``-th block of shell commands of a page, counted from 0, with pairs of texts ``replaced``.

    A text that is to be replaced must be there, so that a test fails where the page changes.
    """
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    block = blocks[number]
    for before, after in replaced:
        assert before in block, f"{before!r} is not in {block!r}"
        block = block.replace(before, after)
    return block

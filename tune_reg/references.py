"""The publications that samplers, stopping rules, optimizers and attacks come from: BibTeX by its key.

The entries stand in ``references.bib`` beside this file. A regularizer carries its own BibTeX, so that one of a user's
needs no entry here.
"""

from __future__ import annotations

import functools
from pathlib import Path

_FILE = Path(__file__).with_name("references.bib")


def bibtex(key: str) -> str:
    """The BibTeX entry of a publication, by its key; ``KeyError`` where ``references.bib`` has none.

    >>> bibtex("holm1979simple").splitlines()[0]
    '@article{holm1979simple,'
    """
    return _entries()[key]


@functools.cache
def _entries() -> dict[str, str]:
    entries = _FILE.read_text(encoding="utf-8").strip().split("\n\n")
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}

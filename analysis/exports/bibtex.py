"""BibTeX entries as one file without repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

_ENTRY: Final = re.compile(r"^\s*@", re.MULTILINE)
_KEY: Final = re.compile(r"@\w+\s*\{\s*([^,\s]+)")


def entries(texts: Iterable[str]) -> tuple[str, ...]:
    """The entries in ``texts``, each once, by the order of their keys; a key that comes again keeps its first entry.

    What stands before the first entry of a text, or is none, is left out.

    >>> entries(["@misc{b,\\n}", "@misc{a,\\n}\\n\\n@misc{b,\\n}"])
    ('@misc{a,\\n}', '@misc{b,\\n}')
    """
    found: dict[str, str] = {}
    for text in texts:
        starts = [*(match.start() for match in _ENTRY.finditer(text)), len(text)]
        for start, end in pairwise(starts):
            entry = text[start:end].strip()
            key = _KEY.match(entry)
            found.setdefault(key[1] if key else entry, entry)
    return tuple(found[key] for key in sorted(found))


def keys(text: str) -> tuple[str, ...]:
    r"""The keys of the entries in ``text``, for ``\cite``.

    >>> keys("@misc{b,\n}")
    ('b',)
    """
    return tuple(_KEY.findall(text))

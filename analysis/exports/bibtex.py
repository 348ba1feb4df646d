"""BibTeX entries as one file without repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

_ENTRY: Final = re.compile(r"^\s*@", re.MULTILINE)
_KEY: Final = re.compile(r"@\w+\s*\{\s*([^,\s]+)")


def entries(texts: Iterable[str]) -> tuple[str, ...]:
    """All BibTeX entries in ``texts``, each once, in the order of their keys; of equal keys the first entry stays.

    Text before the first entry, and text without an entry, is left out.

    >>> entries(["@misc{b,\\n}", "@misc{a,\\n}\\n\\n@misc{b,\\n}"])
    ('@misc{a,\\n}', '@misc{b,\\n}')
    """
    by_key: dict[str, str] = {}
    for text in texts:
        starts = [*(match.start() for match in _ENTRY.finditer(text)), len(text)]
        for start, end in pairwise(starts):
            entry = text[start:end].strip()
            key = _KEY.match(entry)
            by_key.setdefault(key[1] if key else entry, entry)
    return tuple(by_key[key] for key in sorted(by_key))


def keys(text: str) -> tuple[str, ...]:
    r"""The keys of the BibTeX entries in ``text``, for ``\cite``.

    >>> keys("@misc{b,\n}")
    ('b',)
    """
    return tuple(_KEY.findall(text))

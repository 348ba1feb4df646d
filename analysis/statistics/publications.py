"""What a statistical method comes from."""

from __future__ import annotations

from typing import NamedTuple


class Publication(NamedTuple):
    """A method, and the key of its publication in ``tune_reg/references.bib``."""

    method: str
    key: str

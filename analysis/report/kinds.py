"""The kinds of sentences on what a study shows, with their headings in the order of the report."""

from __future__ import annotations

from typing import Final

MAY: Final = "may"
MAY_NOT: Final = "may not"
CAUTION: Final = "caution"

KINDS: Final = (
    (MAY, "May be claimed"),
    (MAY_NOT, "May not be claimed"),
    (CAUTION, "Keep in mind"),
)

"""What Ray Tune must not write into its own snapshots."""

from __future__ import annotations


class NotPickled:
    """An adapter that Tune pickles into its snapshots, which nobody reads: the journal and the store remember.

    A copy is an empty object.
    """

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return object, ()

"""How a training loop of the user's is ended where the search pauses or stops its run."""

from __future__ import annotations


class RunEnded(BaseException):
    """The search has paused or stopped the run: the training loop is left here, and ``finally`` is still carried out.

    It is no ``Exception``, so that ``except Exception`` in a loop or a framework lets it pass.
    """

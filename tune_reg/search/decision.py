"""What becomes of a run after an epoch."""

from enum import Enum


class Decision(Enum):
    """Whether a run goes on: ``PAUSE`` keeps its checkpoint, and the search may ask for it again."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"

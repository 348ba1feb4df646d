"""The confirmation in rounds: how often is any method falsely decided, and how many seeds does a decision take?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from tune_reg.decisions import LOOKS, decisions

#: The share of a difference's deviation that all methods have from the baseline's runs, which they share.
_OF_BASELINE: Final = 0.5**0.5


class Rounds(NamedTuple):
    """What the rounds decide in many made-up studies of one kind."""

    methods: int
    d: float  # true difference of every method, in standard deviations of the paired differences
    margin: float | None  # in the same unit
    studies: int
    wrong: float  # share of studies in which a method is decided that should not be, or against the truth
    decided: float  # share of the methods that are decided
    seeds: float  # on which a method is trained, on average


def rounds(studies: int = 500) -> Iterator[Rounds]:
    """Level, decisions and seeds for each kind of study."""
    rng = np.random.default_rng(0)
    for methods in (1, 2, 3, 7):
        yield _kind(rng, methods, 0.0, None, studies)
    for methods, d in ((2, 4.0), (2, 2.0), (7, 2.0), (2, 1.0)):
        yield _kind(rng, methods, d, None, studies)
    for margin in (2.0, 1.0):
        yield _kind(rng, 2, 0.0, margin, studies)


def _kind(rng: np.random.Generator, methods: int, d: float, margin: float | None, studies: int) -> Rounds:
    wrong, decided, seeds = 0, 0, 0
    right = "superior" if d else "equivalent"
    for _ in range(studies):
        runs = rng.normal(size=(methods, LOOKS[-1])) * np.sqrt(1 - _OF_BASELINE**2)
        differences = d + runs - _OF_BASELINE * rng.normal(size=LOOKS[-1])
        rows = decisions({str(i): row for i, row in enumerate(differences)}, margin=margin)
        wrong += any(row.decision not in (right, "undecided") for row in rows)
        decided += sum(row.decision != "undecided" for row in rows)
        seeds += sum(row.n for row in rows)
    every = studies * methods
    return Rounds(methods, d, margin, studies, wrong / studies, decided / every, seeds / every)

"""How often is something claimed that is not there, and how often what is: the primary and the secondary family.

Each made-up study has methods, training sets and attacks; each of its comparisons is of paired differences over seeds.
"primary first" is the rule of the report, from its own function. Beside it: Holm's correction of all comparisons
together, of Student's t, and of the test by sign flips as an earlier release had it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from _claims.noise import NOISE
from analysis.measures.comparisons import Compared, decided
from analysis.statistics import LEVEL, effect, holm, paired_difference

METHODS, SETS, ATTACKS = 3, 3, 3
SEEDS = (5, 8, 10)
#: Standard deviation of the baseline's part of a paired difference.
_OF_BASELINE = 0.3
_ANY_EFFECT = effect([0.0])


class Family(NamedTuple):
    """What one rule claims in many studies of one kind."""

    rule: str
    noise: str
    differ: int  # methods that differ from the baseline, by ``d`` standard deviations in every comparison
    d: float
    seeds: int
    studies: int
    false: float  # share of studies with a claim on a method that does not differ, or nan
    primary: float  # share of the primary differences that are there and are claimed, or nan
    secondary: float  # share of the secondary ones


def families(studies: int = 250) -> Iterator[Family]:
    """Level and power of the three rules, for each kind of study."""
    rng = np.random.default_rng(0)
    for noise in ("normal", "one bad run in ten"):
        for seeds in (SEEDS[0], SEEDS[-1]):
            yield from _kind(rng, noise, 0, 0.0, seeds, studies)
    for differ in (1, METHODS):
        for seeds in SEEDS:
            yield from _kind(rng, "normal", differ, 2.0, seeds, studies)


def _kind(rng: np.random.Generator, noise: str, differ: int, d: float, seeds: int, studies: int) -> Iterator[Family]:
    claims: dict[str, list[list[bool]]] = {}
    for _ in range(studies):
        for rule, established in _claimed(_study(rng, noise, differ, d, seeds)).items():
            claims.setdefault(rule, []).append(established)
    per_method = SETS * (1 + ATTACKS)
    for rule, of_studies in claims.items():
        table = np.array(of_studies).reshape(studies, METHODS, per_method)
        null, there = table[:, differ:], table[:, :differ]
        yield Family(
            *(rule, noise, differ, d, seeds, studies),
            false=float(null.any(axis=(1, 2)).mean()) if differ < METHODS else float("nan"),
            primary=float(there[:, :, 0].mean()) if differ else float("nan"),
            secondary=float(there[:, :, 1:].mean()) if differ else float("nan"),
        )


def _study(rng: np.random.Generator, noise: str, differ: int, d: float, seeds: int) -> list[Compared]:
    """The comparisons of one study, method by method, the primary one of each first."""
    draw = NOISE[noise]
    per_method = SETS * (1 + ATTACKS)
    # All methods share the runs of the baseline, which has no bad ones; the paired differences have variance 1.
    baseline = _OF_BASELINE * rng.normal(size=(per_method, seeds))
    rows = []
    for method in range(METHODS):
        runs = np.sqrt(1 - _OF_BASELINE**2) * draw(rng, (per_method, seeds)) + (d if method < differ else 0.0)
        for place in range(per_method):
            difference = paired_difference(dict(enumerate(runs[place])), dict(enumerate(baseline[place])))
            assert difference is not None
            assert _ANY_EFFECT is not None
            rows.append(
                Compared(
                    *("", "", None, 1.0, 1.0, str(method)),
                    primary=place == 0,
                    family=0,
                    rounds=False,
                    difference=difference,
                    with_searches=None,
                    decision="undecided",
                    established=False,
                    spread="",
                    effect=_ANY_EFFECT,
                )
            )
    return rows


def _claimed(rows: Sequence[Compared]) -> dict[str, list[bool]]:
    """Which rows each rule claims."""
    of_primary = decided([row for row in rows if row.primary], after=True)
    after = any(row.established for row in of_primary)
    of_secondary = decided([row for row in rows if not row.primary], after=after)
    both = iter(of_primary), iter(of_secondary)
    together = holm([row.difference.p for row in rows])
    flips = holm([row.difference.p_sign_flip for row in rows])
    return {
        "primary first": [next(both[not row.primary]).established for row in rows],
        "t, Holm over all": [p is not None and p <= LEVEL for p in together],
        "sign flips, Holm over all": [p is not None and p <= LEVEL for p in flips],
    }

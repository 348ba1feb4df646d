"""The nominal levels of confirmation in rounds: which level of a t-test spends, at each look, what may be spent there.

    .venv/bin/python benchmarks/look_levels.py [--methods 1 2 3 7] [--studies 50000000]

Each of the methods spends 5 % divided by their number, over all looks; by a look at n of at most N seeds it has spent
the share ln(1 + (e - 1) n / N) of that, as of Lan and DeMets' spending function in the manner of Pocock. The first
level is what is spent there. Each later one is found by simulation: differences without any effect are drawn for N
seeds, and of those that no earlier look took for an effect, the level takes as many as may be spent. Normal
differences, Student's t with n - 1 degrees of freedom. The printed rows are those of ``tune_reg/decisions/looks.py``.

Source: Lan & DeMets, Discrete sequential boundaries for clinical trials, 1983; Pocock, Group sequential methods in the
design and analysis of clinical trials, 1977.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from _shared.command_line import CommandLine, write_json
from scipy.special import stdtr

from tune_reg.decisions.looks import LOOKS, spent_levels
from tune_reg.decisions.student import LEVEL

Array = npt.NDArray[np.float64]

SMALL = {"methods": [1, 2], "studies": 200_000}
BATCH = 500_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument(
        "--methods", type=int, nargs="+", default=list(range(1, 31)), metavar="Q", help="methods beside the baseline"
    )
    parser.add_argument("--looks", type=int, nargs="+", default=list(LOOKS), metavar="N", help="seeds at each look")
    parser.add_argument("--studies", type=int, default=50_000_000, help="differences without effect that are drawn")
    parser.outputs()
    options = parser.read(arguments)
    p = small_p(options.looks, options.studies)
    rows = {}
    for methods in options.methods:
        levels = calibrated(p, spent_levels(options.looks, methods), options.studies)
        rows[str(methods)] = levels
        print(f"    {methods}: ({', '.join(f'{level:.3g}' for level in levels)}),", flush=True)
    write_json(options.out, {"looks": options.looks, "studies": options.studies, "levels": rows})


def small_p(looks: Sequence[int], studies: int) -> Array:
    """Two-sided p at each look, of the differences that have one below 5 % [look, difference]."""
    rng = np.random.default_rng(0)
    kept = []
    for begin in range(0, studies, BATCH):
        p = null_p(rng, looks, min(BATCH, studies - begin))
        kept.append(p[:, p.min(axis=0) < LEVEL])
    return np.concatenate(kept, axis=1)


def null_p(rng: np.random.Generator, looks: Sequence[int], studies: int) -> Array:
    """Two-sided p of Student's t at each look, of differences without effect [look, difference].

    The sums and sums of squares of what is new at a look are drawn, in place of each value.
    """
    total, squares, before = np.zeros(studies), np.zeros(studies), 0
    p = []
    for n in looks:
        new = n - before
        added = rng.standard_normal(studies) * np.sqrt(new)
        total += added
        squares += added**2 / new + (rng.chisquare(new - 1, studies) if new > 1 else 0.0)
        error = np.sqrt((squares - total**2 / n) / (n - 1) / n)
        p.append(2 * stdtr(n - 1, -np.abs(total) / n / error))
        before = n
    return np.array(p)


def calibrated(p: Array, spent: Sequence[float], studies: int) -> list[float]:
    """The level of each look that takes the share ``spent`` of ``studies``, of those that no earlier look took."""
    levels = [spent[0]]  # Student's t is exact here
    left = p[0] >= spent[0]
    for at_look, share in zip(p[1:], spent[1:], strict=True):
        count = round(share * studies)
        levels.append(float(np.partition(at_look[left], count)[count]))
        left &= at_look >= levels[-1]
    return levels


if __name__ == "__main__":
    main()

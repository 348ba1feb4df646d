"""How much of the level each look at paired results may spend, so that all looks together keep 5 %."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from tune_reg.decisions.student import LEVEL

#: Paired seeds at which results are looked at.
LOOKS: Final = (5, 8, 12, 20)

#: Nominal two-sided levels of Student's t at ``LOOKS``, by the number of methods beside the baseline: at each look the
#: level that takes, of differences without effect that no earlier look took, what ``spent_levels`` says. Made by
#: ``benchmarks/look_levels.py`` with 50,000,000 differences, to a Monte Carlo error below 1 %; the rows of 1, 2, 3 and
#: 7 methods are of another simulation, and differ by at most 4 % from what it makes.
_LEVELS: Final[Mapping[int, tuple[float, float, float, float]]] = {
    1: (0.0180, 0.0120, 0.0138, 0.0207),
    2: (0.0090, 0.0055, 0.0064, 0.0097),
    3: (0.0061, 0.0035, 0.0041, 0.0063),
    4: (0.00447, 0.00261, 0.00298, 0.00451),
    5: (0.00357, 0.00206, 0.00234, 0.00356),
    6: (0.00298, 0.00169, 0.00192, 0.00293),
    7: (0.0026, 0.0015, 0.0016, 0.0025),
    8: (0.00223, 0.00124, 0.00141, 0.00217),
    9: (0.00199, 0.00109, 0.00125, 0.00191),
    10: (0.00179, 0.000977, 0.00111, 0.00171),
    11: (0.00162, 0.000883, 0.00101, 0.00154),
    12: (0.00149, 0.000806, 0.000919, 0.0014),
    13: (0.00137, 0.000742, 0.000844, 0.00129),
    14: (0.00128, 0.000688, 0.000781, 0.0012),
    15: (0.00119, 0.000641, 0.000725, 0.00111),
    16: (0.00112, 0.000598, 0.000677, 0.00104),
    17: (0.00105, 0.000559, 0.000635, 0.000976),
    18: (0.000993, 0.000525, 0.000599, 0.000919),
    19: (0.00094, 0.000497, 0.000566, 0.000869),
    20: (0.000893, 0.000471, 0.000536, 0.000826),
    21: (0.000851, 0.000448, 0.00051, 0.000784),
    22: (0.000812, 0.000427, 0.000485, 0.000746),
    23: (0.000777, 0.000407, 0.000462, 0.000712),
    24: (0.000745, 0.000389, 0.000442, 0.000682),
    25: (0.000715, 0.000372, 0.000422, 0.000653),
    26: (0.000687, 0.000357, 0.000405, 0.000627),
    27: (0.000662, 0.000344, 0.000389, 0.000603),
    28: (0.000638, 0.00033, 0.000375, 0.000581),
    29: (0.000616, 0.000319, 0.000361, 0.00056),
    30: (0.000596, 0.000307, 0.000349, 0.000541),
}


def spent_levels(looks: Sequence[int], methods: int) -> tuple[float, ...]:
    """What each look spends of the level of one of ``methods`` methods.

    By a look at n of at most N seeds, ``5 % / methods ln(1 + (e - 1) n / N)`` is spent.

    Source: Lan & DeMets, Discrete sequential boundaries for clinical trials, 1983, the one in the manner of Pocock.

    >>> [round(level, 4) for level in spent_levels((5, 8, 12, 20), 1)]
    [0.0179, 0.0083, 0.0093, 0.0146]
    """
    by = [LEVEL / methods * math.log1p((math.e - 1) * n / looks[-1]) for n in looks]
    return tuple(now - before for before, now in zip([0.0, *by], by, strict=False))


def nominal_levels(looks: Sequence[int], methods: int) -> tuple[float, ...]:
    """The nominal two-sided level of the interval of each of ``methods`` methods at each look.

    Whatever the looks and the methods depend on, a study without any difference has one that lies beside 0 in at most
    5 % of cases: looks share the level of a method as ``spent_levels`` says, methods share 5 % as of Bonferroni. At
    ``LOOKS`` and for up to 30 methods the levels are tabulated, which takes into account that a later look has seen the
    seeds of an earlier one. Elsewhere each look has the level that it spends, which is always enough, and too strict.

    >>> nominal_levels((5, 8, 12, 20), 2)
    (0.009, 0.0055, 0.0064, 0.0097)
    >>> [round(level, 4) for level in nominal_levels((6, 9), 1)]
    [0.0382, 0.0118]
    """
    tabulated = _LEVELS.get(methods) if tuple(looks) == LOOKS else None
    return tabulated or spent_levels(looks, methods)

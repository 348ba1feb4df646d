"""What is known of a hyperparameter before it is searched: its usual value, and how far others are from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_spaces.domains import SpaceError


@dataclass(frozen=True)
class Prior:
    """The usual value of a hyperparameter, and its spread: one standard deviation.

    ``spread``: a factor, above 1, where the hyperparameter is searched in its logarithm, else a difference. So
    ``Prior(5e-4, 10)`` of a weight decay says that two of three good values lie between 5e-5 and 5e-3. ``source``:
    where this is known from. A search takes a prior for a hint, which a few trials overrule.

    >>> Prior(5e-4, 10, "He et al. 2016")
    Prior(usual=0.0005, spread=10, source='He et al. 2016')
    """

    usual: float
    spread: float
    source: str = ""

    def __post_init__(self) -> None:
        for name, value in (("usual", self.usual), ("spread", self.spread)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise SpaceError(f"{name} of a prior must be a finite number, but got {value!r}")
        if self.spread <= 0:
            raise SpaceError(f"spread of a prior must be > 0, but got {self.spread!r}")

    def __str__(self) -> str:
        return f"{self.usual:g}, spread {self.spread:g}" + (f" ({self.source})" if self.source else "")

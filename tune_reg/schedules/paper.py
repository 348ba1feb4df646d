"""Table 1 of "Adapting Regularization with Learning Rate For Better Generalization in Neural Networks" as schedules."""

from __future__ import annotations

from typing import Final

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.schedules.curves import Piecewise

#: The paper's training: one phase of 5 x 50 epochs and, after warm restarts, two of 5 x 20.
EPOCHS: Final = 450

_LAST_EPOCHS: Final = (50, 100, 150, 200, 250, 270, 290, 310, 330, 350, 370, 390, 410, 430)


def _table(*phases: tuple[float, ...]) -> Piecewise:
    """A column of the table as a schedule, with five rows in each phase."""
    return Piecewise(tuple(k / EPOCHS for k in _LAST_EPOCHS), tuple(value for phase in phases for value in phase))


_LEARNING_RATE: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
_SCH01: Final = (1e-4, 1e-4, 8e-4, 16e-4, 16e-4)
_SCH02: Final = (1e-4, 1e-4, 4e-4, 8e-4, 8e-4)
_DENSE: Final = (0.0, 0.0, 0.0, 0.0, 0.0)

#: The columns of the table by name: learning rate, weight decay (Sch. 01, 02), sparsity (Sch. 21 to 23), as values.
PRESETS: Final[dict[str, Piecewise]] = {
    "learning-rate": _table(_LEARNING_RATE, _LEARNING_RATE, _LEARNING_RATE),
    "sch01": _table(_SCH01, _SCH01, _SCH01),
    "sch02": _table(_SCH02, _SCH02, _SCH02),
    "sch21": _table((0.0, 0.0, 0.5, 0.5, 0.5), _DENSE, _DENSE),
    "sch22": _table((0.0, 0.0, 0.8, 0.8, 0.8), _DENSE, _DENSE),
    "sch23": _table((0.0, 0.0, 0.3, 0.3, 0.3), _DENSE, _DENSE),
}


def paper_schedule(name: str) -> Piecewise:
    """A column of table 1 as a schedule: "learning-rate", "sch01", "sch02", "sch21", "sch22" or "sch23".

    >>> sch01 = paper_schedule("sch01")
    >>> [sch01((epoch - 1) / 449) for epoch in (100, 101, 151, 251, 450)]
    [0.0001, 0.0008, 0.0016, 0.0001, 0.0016]
    """
    if name not in PRESETS:
        raise StudyError(f"schedule {name!r} is not in table 1 of the paper" + did_you_mean(name, PRESETS))
    return PRESETS[name]

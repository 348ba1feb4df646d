"""The base of all schedules."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from torch import Tensor

Real = float | Tensor


class Schedule:
    """A schedule: a function of progress that can be compared, hashed and written into a study file."""

    #: The name of the kind in a study file, beside which the fields stand as parameters.
    kind: ClassVar[str]

    def __call__(self, progress: Real) -> Real:
        """The value at ``progress`` in [0, 1]."""
        raise NotImplementedError

    def to_plain(self) -> dict[str, Any]:
        """The schedule as a study file gives it: a table of numbers, text, lists and tables.

        ``schedule_from_plain`` makes an equal schedule from the table.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # a schedule that is no dataclass has no plain form
        return {"kind": self.kind, **{field.name: _plain(getattr(self, field.name)) for field in fields}}


def as_kind(name: str) -> str:
    """The name of a kind as study files spell it: with hyphens, not underscores."""
    return name.replace("_", "-")


def rising_inside(boundaries: tuple[float, ...]) -> None:
    """Raise ``ValueError`` for boundaries that do not rise strictly inside (0, 1)."""
    if list(boundaries) != sorted(set(boundaries)) or not all(0 < b < 1 for b in boundaries):
        raise ValueError(f"boundaries must rise strictly inside (0, 1), but got {list(boundaries)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_plain()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(f"a schedule with tensors of {value.numel()} numbers is several: it has no plain form")
        return value.item()
    return value

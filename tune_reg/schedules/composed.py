"""Schedules that are made of other schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tune_reg.schedules.base import Real, Schedule, rising_inside
from tune_reg.schedules.curves import Piecewise


@dataclass(frozen=True)
class WarmRestarts(Schedule):
    """Warm restarts: ``schedule`` begins again at each of ``boundaries``."""

    kind: ClassVar[str] = "warm-restarts"
    schedule: Schedule
    boundaries: tuple[float, ...]

    def __post_init__(self) -> None:
        rising_inside(self.boundaries)

    def __call__(self, progress: Real) -> Real:
        """The value of ``schedule`` at the progress within the current cycle."""
        start = Piecewise(self.boundaries, (0.0, *self.boundaries))(progress)
        end = Piecewise(self.boundaries, (*self.boundaries, 1.0))(progress)
        return self.schedule((progress - start) / (end - start))


class LearningRateCoupled(Schedule):
    """A strength as a function of the learning rate, relative to the learning rate at progress 0."""

    kind: ClassVar[str] = "learning-rate-coupled"
    learning_rate: Schedule

    def __call__(self, progress: Real) -> Real:
        """The value for the learning rate at ``progress``."""
        relative = self.learning_rate(progress) / self.learning_rate(0.0)
        if isinstance(relative, Tensor):
            return self.at(relative)
        return float(self.at(torch.tensor(relative, dtype=torch.float64)))

    def at(self, relative: Tensor) -> Tensor:
        """The value at relative learning rates, of any shape."""
        raise NotImplementedError

    def _check_start(self) -> None:
        first = self.learning_rate(0.0)
        if not bool(torch.as_tensor(first > 0).all()):
            raise ValueError(f"learning_rate must be > 0 at progress 0, which the others refer to, but it is {first}")


@dataclass(frozen=True)
class LearningRateTable(LearningRateCoupled):
    """A table over the learning rate: ``values[i]`` once its relative value has fallen to ``breakpoints[i - 1]``."""

    learning_rate: Schedule
    breakpoints: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.breakpoints) + 1:
            raise ValueError(
                f"values must have one entry more than breakpoints, but got {len(self.values)} "
                f"values for {len(self.breakpoints)} breakpoints"
            )
        if list(self.breakpoints) != sorted(set(self.breakpoints), reverse=True) or not all(
            b > 0 for b in self.breakpoints
        ):
            raise ValueError(f"breakpoints must fall strictly and be > 0, but got {list(self.breakpoints)}")
        self._check_start()

    def at(self, relative: Tensor) -> Tensor:
        """The value of the row of the table that ``relative`` lies in."""
        # A millionth above: a learning rate of 0.1 x 0.01 must count as fallen to 0.01, however it is rounded.
        edges = relative.new_tensor([b * (1 + 1e-6) for b in reversed(self.breakpoints)])
        return relative.new_tensor(self.values[::-1])[torch.bucketize(relative, edges)]


@dataclass(frozen=True)
class LearningRatePower(LearningRateCoupled):
    """A power of the relative learning rate f, bounded on both sides: ``min(ceiling, max(1, (onset / f)^power))``."""

    learning_rate: Schedule
    onset: float
    power: float
    ceiling: float

    def __post_init__(self) -> None:
        if not self.onset > 0:
            raise ValueError(f"onset must be > 0, but got {self.onset}")
        if not self.power >= 0:
            raise ValueError(f"power must be >= 0, but got {self.power}")
        if not self.ceiling >= 1:
            raise ValueError(f"ceiling must be >= 1, but got {self.ceiling}")
        self._check_start()

    def at(self, relative: Tensor) -> Tensor:
        """The value at ``relative``: 1 until ``relative`` falls below the onset, ``ceiling`` where it is 0."""
        factor = (self.onset / relative.clamp(min=0.0)) ** self.power
        return factor.clamp(min=1.0).clamp(max=self.ceiling)


def warm_restarts(schedule: Schedule, boundaries: Sequence[float]) -> WarmRestarts:
    """Warm restarts: ``schedule`` begins again at each of ``boundaries``.

    >>> from tune_reg.schedules import cosine
    >>> restart = warm_restarts(cosine(), [0.5])
    >>> restart(0.0), restart(0.5)
    (1.0, 1.0)
    """
    return WarmRestarts(schedule, tuple(boundaries))


def learning_rate_coupled(
    learning_rate: Schedule,
    *,
    breakpoints: Sequence[float] | None = None,
    values: Sequence[float] | None = None,
    onset: float | None = None,
    power: float | None = None,
    ceiling: float | None = None,
) -> LearningRateCoupled:
    """A strength as a function of f, the learning rate relative to the learning rate at progress 0.

    Either a table: ``values[0]`` while f is above ``breakpoints[0]``, ``values[1]`` once it has fallen to it, and so
    on; or a power: ``min(ceiling, max(1, (onset / f)^power))``. A warm restart that brings the learning rate back also
    brings the strength back.

    >>> from tune_reg.schedules import piecewise
    >>> drops = piecewise([0.25, 0.5, 0.75], [1.0, 0.1, 0.01, 0.001])
    >>> sch01 = learning_rate_coupled(drops, breakpoints=[0.01, 0.001], values=[1e-4, 8e-4, 16e-4])
    >>> [sch01(p) for p in (0.0, 0.25, 0.5, 0.75)]
    [0.0001, 0.0001, 0.0008, 0.0016]
    >>> free = learning_rate_coupled(drops, onset=0.1, power=0.5, ceiling=9.0)
    >>> [round(free(p), 6) for p in (0.0, 0.25, 0.5, 0.75)]
    [1.0, 1.0, 3.162278, 9.0]
    """
    table, powers = (breakpoints, values), (onset, power, ceiling)
    if breakpoints is not None and values is not None and powers == (None, None, None):
        return LearningRateTable(learning_rate, tuple(breakpoints), tuple(values))
    if onset is not None and power is not None and ceiling is not None and table == (None, None):
        return LearningRatePower(learning_rate, onset, power, ceiling)
    raise ValueError(
        "a learning-rate-coupled schedule needs either breakpoints and values, or onset, power and ceiling"
    )

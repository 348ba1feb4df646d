"""Schedules that a few numbers describe."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tune_reg.schedules.base import Real, Schedule, rising_inside


@dataclass(frozen=True)
class Constant(Schedule):
    """A constant schedule: one value throughout."""

    kind: ClassVar[str] = "constant"
    value: float = 1.0

    def __call__(self, progress: Real) -> Real:
        """The value, whatever ``progress`` is."""
        return torch.full_like(progress, self.value) if isinstance(progress, Tensor) else self.value


@dataclass(frozen=True)
class Piecewise(Schedule):
    """A piecewise constant schedule: ``values[i]`` from ``boundaries[i - 1]`` on, until ``boundaries[i]``."""

    kind: ClassVar[str] = "piecewise"
    boundaries: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must have one entry more than boundaries, but got {len(self.values)} "
                f"values for {len(self.boundaries)} boundaries"
            )
        rising_inside(self.boundaries)

    def __call__(self, progress: Real) -> Real:
        """The value of the piece in which ``progress`` lies."""
        if isinstance(progress, Tensor):
            boundaries = progress.new_tensor(self.boundaries)
            return progress.new_tensor(self.values)[torch.bucketize(progress, boundaries, right=True)]
        return self.values[sum(progress >= boundary for boundary in self.boundaries)]


@dataclass(frozen=True)
class Steps(Schedule):
    """A schedule of steps: ``start``, multiplied by ``factor`` at each multiple of ``every`` inside (0, 1)."""

    kind: ClassVar[str] = "steps"
    start: float = 1.0
    factor: float = 0.1
    every: float = 0.25

    def __post_init__(self) -> None:
        if not self.factor >= 0:
            raise ValueError(f"factor must be >= 0, but got {self.factor}")
        if not 1e-4 <= self.every <= 1:
            raise ValueError(f"every must be in [0.0001, 1], a share of the training, but got {self.every}")

    def __call__(self, progress: Real) -> Real:
        """The value ``start factor^k`` after k steps."""
        return self.pieces(progress)

    @functools.cached_property
    def pieces(self) -> Piecewise:
        """The steps as a piecewise constant schedule."""
        # The last multiple may differ from 1 by rounding alone, and there is no step at the end of training.
        n = math.ceil(1 / self.every - 1e-9)
        boundaries = tuple(round(k * self.every, 12) for k in range(1, n))
        return Piecewise(boundaries, tuple(self.start * self.factor**k for k in range(n)))


@dataclass(frozen=True)
class Exponential(Schedule):
    """An exponential schedule from ``start`` at 0 to ``end`` at 1, both exact and > 0."""

    kind: ClassVar[str] = "exponential"
    start: float = 1.0
    end: float = 0.01

    def __post_init__(self) -> None:
        _positive("start", self.start)
        _positive("end", self.end)

    def __call__(self, progress: Real) -> Real:
        """The value ``start^(1 - progress) end^progress``."""
        if isinstance(progress, Tensor):
            return torch.pow(self.start, 1 - progress) * torch.pow(self.end, progress)
        return float(self.start ** (1 - progress) * self.end**progress)


@dataclass(frozen=True)
class Sigmoid(Schedule):
    """A sigmoid from ``start`` at 0 to ``end`` at 1, both exact."""

    kind: ClassVar[str] = "sigmoid"
    start: float = 1.0
    end: float = 0.01
    steepness: float = 10.0

    def __post_init__(self) -> None:
        _positive("steepness", self.steepness)

    def __call__(self, progress: Real) -> Real:
        """The value ``end + (start - end) q(progress)``, with q the rescaled, falling sigmoid."""
        # Sigmoids written as hyperbolic tangents: no steepness overflows, and both ends are exact.
        q = (1 - _tanh(self.steepness / 2 * (progress - 0.5)) / math.tanh(self.steepness / 4)) / 2
        return self.start * q + self.end * (1 - q)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from ``start`` to ``end``."""

    kind: ClassVar[str] = "cosine"
    start: float = 1.0
    end: float = 0.0

    def __call__(self, progress: Real) -> Real:
        """The value ``end + (start - end) (1 + cos(pi progress)) / 2``."""
        cosine = torch.cos(math.pi * progress) if isinstance(progress, Tensor) else math.cos(math.pi * progress)
        q = (1 + cosine) / 2
        return self.start * q + self.end * (1 - q)


@dataclass(frozen=True)
class Laplace(Schedule):
    """The Laplace density around ``mu`` with width ``b``, its peak scaled to 1."""

    kind: ClassVar[str] = "laplace"
    mu: Real = 0.75
    b: Real = 0.5

    def __post_init__(self) -> None:
        _positive("b", self.b)

    def __call__(self, progress: Real) -> Real:
        """The value ``exp(-|progress - mu| / b)``."""
        return _two_sided(progress, self.mu, self.b)


@dataclass(frozen=True)
class Logistic(Schedule):
    """The logistic density around ``mu`` with width ``b``, its peak scaled to 1."""

    kind: ClassVar[str] = "logistic"
    mu: Real = 0.75
    b: Real = 0.5

    def __post_init__(self) -> None:
        _positive("b", self.b)

    def __call__(self, progress: Real) -> Real:
        """The value ``sech((progress - mu) / (2 b))**2``, computed so that a small b does not overflow."""
        tail = _two_sided(progress, self.mu, self.b)
        return 4 * tail / (1 + tail) ** 2


def constant(value: float = 1.0) -> Constant:
    """A constant schedule: ``value`` throughout."""
    return Constant(value)


def piecewise(boundaries: Sequence[float], values: Sequence[float]) -> Piecewise:
    """A piecewise constant schedule: ``values[0]`` until ``boundaries[0]``, then ``values[1]``, and so on.

    >>> drop = piecewise([0.75], [0.1, 0.001])
    >>> drop(0.74), drop(0.75)
    (0.1, 0.001)
    """
    return Piecewise(tuple(boundaries), tuple(values))


def steps(start: float = 1.0, factor: float = 0.1, every: float = 0.25) -> Steps:
    """A schedule of steps: ``start factor^k`` from progress ``k every`` on, without a step at the end.

    >>> halved = steps(8.0, 0.5, every=0.25)
    >>> [halved(p) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    [8.0, 4.0, 2.0, 1.0, 1.0]
    """
    return Steps(start, factor, every)


def exponential(start: float = 1.0, end: float = 0.01) -> Exponential:
    """An exponential schedule from ``start`` to ``end``: ``start (end / start)^p``.

    >>> exponential(1.0, 0.01)(0.5)
    0.1
    """
    return Exponential(start, end)


def sigmoid(start: float = 1.0, end: float = 0.01, *, steepness: float = 10.0) -> Sigmoid:
    """The annealing of AdaDecay (Nakamura and Hong 2019): slow at both ends, exact at both ends.

    The paper gives no formula; this is ``end + (start - end) q(u)``,
    ``q = (s(-k (u - 1/2)) - s(-k/2)) / (s(k/2) - s(-k/2))`` with s the logistic function and k the steepness.

    >>> sigmoid(0.1, 0.001)(0.0), sigmoid(0.1, 0.001)(1.0)
    (0.1, 0.001)
    """
    return Sigmoid(start, end, steepness)


def cosine(start: float = 1.0, end: float = 0.0) -> Cosine:
    """Half a cosine from ``start`` to ``end``.

    >>> round(cosine()(0.5), 6)
    0.5
    """
    return Cosine(start, end)


def laplace(mu: Real = 0.75, b: Real = 0.5) -> Laplace:
    """Laplace annealing of residual smoothing (Cho, Kwon and Hong 2019): ``exp(-|p - mu| / b)``.

    >>> laplace()(0.75)
    1.0
    """
    return Laplace(mu, b)


def logistic(mu: Real = 0.75, b: Real = 0.5) -> Logistic:
    """Logistic annealing of residual smoothing (Cho, Kwon and Hong 2019): ``sech((p - mu) / (2 b))**2``.

    >>> logistic()(0.75)
    1.0
    """
    return Logistic(mu, b)


def _two_sided(progress: Real, mu: Real, b: Real) -> Real:
    offset = (progress - mu) / b
    return torch.exp(-offset.abs()) if isinstance(offset, Tensor) else math.exp(-abs(offset))


def _tanh(x: Real) -> Real:
    return torch.tanh(x) if isinstance(x, Tensor) else math.tanh(x)


def _positive(name: str, value: Real) -> None:
    # The values of tensors are not checked: they may live on a GPU or inside a transform.
    if not isinstance(value, Tensor) and not value > 0:
        raise ValueError(f"{name} must be > 0, but got {value}")

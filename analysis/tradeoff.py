"""Clean against robust accuracy: which regularizers no other one beats in both."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.comparisons import accuracies
from analysis.robustness import Attack, BySeed, Setting, areas
from analysis.statistics import share_interval
from analysis.tables import Snapshot, once

Array: TypeAlias = NDArray[np.float64]

_RESAMPLES: Final = 1_000


class TradePoint(NamedTuple):
    """One regularizer. Accuracies are shares in [0, 1], over the runs that have both."""

    regularizer: str
    n: int  # runs
    clean: float  # test accuracy
    clean_low: float | None
    clean_high: float | None
    robust: float  # mean accuracy over the epsilons of the attack
    robust_low: float | None
    robust_high: float | None
    front: bool  # on the Pareto front of the means
    front_share: float | None  # of 1,000 resamplings of the shared seeds in which it is; None with one shared seed


class Trade(NamedTuple):
    """All regularizers under one attack."""

    setting: Setting
    attack: Attack
    points: tuple[TradePoint, ...]


@once
def trades(data: Snapshot) -> tuple[Trade, ...]:
    """One an attack and training data, where two regularizers or more were attacked."""
    found = []
    for (setting, attack), robust in areas(data).items():
        points = _points(data, accuracies(data).get(setting, {}), robust)
        if len(points) > 1:
            found.append(Trade(setting, attack, points))
    return tuple(found)


def on_front(clean: Array, robust: Array) -> NDArray[np.bool_]:
    """Which points no other one beats: as good in both and better in one. ``clean``, ``robust``: [..., k].

    >>> on_front(np.array([0.9, 0.8, 0.7]), np.array([0.1, 0.3, 0.2])).tolist()
    [True, True, False]
    """
    least = (clean[..., None, :] >= clean[..., :, None]) & (robust[..., None, :] >= robust[..., :, None])
    more = (clean[..., None, :] > clean[..., :, None]) | (robust[..., None, :] > robust[..., :, None])
    front: NDArray[np.bool_] = ~np.any(least & more, axis=-1)
    return front


def _points(data: Snapshot, clean: BySeed, robust: BySeed) -> tuple[TradePoint, ...]:
    names = [name for name in data.regularizers if clean.get(name, {}).keys() & robust.get(name, {}).keys()]
    if not names:
        return ()
    seeds = {name: sorted(clean[name].keys() & robust[name].keys()) for name in names}
    means = [
        tuple(share_interval([values[name][seed] for seed in seeds[name]]) for values in (clean, robust))
        for name in names
    ]
    known = [(own, other) for own, other in means if own is not None and other is not None]  # all: seeds are not empty
    front = on_front(*np.array([(own.mean, other.mean) for own, other in known]).T)
    shares = _shares(clean, robust, names, sorted(set.intersection(*map(set, seeds.values()))))
    return tuple(
        TradePoint(name, own.n, *own[1:4], *other[1:4], bool(front[place]), shares[place])
        for place, (name, (own, other)) in enumerate(zip(names, known, strict=True))
    )


def _shares(clean: BySeed, robust: BySeed, names: list[str], seeds: list[int]) -> list[float | None]:
    if len(seeds) < 2:
        return [None] * len(names)
    draws = np.random.default_rng(0).integers(0, len(seeds), (_RESAMPLES, len(seeds)))
    means = [
        np.array([[values[name][seed] for seed in seeds] for name in names])[:, draws].mean(axis=2).T
        for values in (clean, robust)
    ]
    return [float(share) for share in on_front(*means).mean(axis=0)]

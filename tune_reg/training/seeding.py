"""Random numbers by purpose, so that runs are paired and a resumed run goes on as if it had never stopped.

Every stream of random numbers is a function of the seed and its purpose (and of the epoch, for streams of an epoch),
never of how many numbers were drawn before. Two regularizers with the same seed thus get the same weights, subset,
order and augmentation.
"""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2**63) for one purpose of a run's seed.

    >>> derive(0, "weights") == derive(0, "weights"), derive(0, "weights") == derive(0, "order", 1)
    (True, False)
    """
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator of random numbers on the CPU for one purpose of a run's seed."""
    return torch.Generator().manual_seed(derive(seed, *purpose))

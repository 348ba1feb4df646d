"""The global random generators of a process, of torch, numpy and ``random``, which a user's code may draw from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None, states: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Seed the global generators, or set them to ``states``; at the end they are as they were before.

    ``device``: where the generator of a GPU is seeded as well. ``states``: as ``current`` gave them.

    >>> with seeded(0):
    ...     first = random.random()
    >>> with seeded(0):
    ...     random.random() == first
    True
    """
    before = current(device)
    try:
        if states:
            _set(states, device)
        else:
            seed_all(seed, device)
        yield
    finally:
        _set(before, device)


def seed_all(seed: int, device: torch.device | None = None) -> None:
    """Seed the global generators, for good; ``device``: where the generator of a GPU is seeded as well."""
    torch.default_generator.manual_seed(seed)
    if device is not None and device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def current(device: torch.device | None = None) -> dict[str, Any]:
    """The states of the global generators, as tensors and plain values: a checkpoint can hold them."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    version, internal, next_gauss = random.getstate()
    states = {
        "torch": torch.get_rng_state(),
        "numpy": [str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
        "random": [version, list(internal), next_gauss],
    }
    if device is not None and device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether nothing was drawn between two calls of ``current``.

    >>> before = current()
    >>> same(before, current())
    True
    """
    keys = torch.equal(one["numpy"][1], other["numpy"][1]) and one["numpy"][2:] == other["numpy"][2:]
    return keys and one["random"] == other["random"] and torch.equal(one["torch"], other["torch"])


def _set(states: Mapping[str, Any], device: torch.device | None) -> None:
    torch.set_rng_state(states["torch"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, next_gauss = states["random"]
    random.setstate((version, tuple(internal), next_gauss))
    if "cuda" in states and device is not None:
        torch.cuda.set_rng_state(states["cuda"], device)

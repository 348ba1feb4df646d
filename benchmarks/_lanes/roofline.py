"""The least time that a training step can take on a device: its bytes over the bandwidth, its FLOP over the peak."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from _shared.measuring import quickest
from torch.utils.flop_counter import FlopCounterMode


class Speed(NamedTuple):
    """What a device reaches, as measured: bytes a second to and from its memory, FLOP a second in float32."""

    bandwidth: float
    peak: float


class Work(NamedTuple):
    """What a step must do: bytes to and from memory, and FLOP in products of matrices and convolutions."""

    bytes: int
    flop: int


def least_bytes(parameters: int, lanes: int, image_bytes: int, batch: int, *, itemsize: int = 4) -> int:
    """Bytes that a step must move: weights and momenta read and written once, the images of the batch read once.

    Everything else could stay on the chip.

    >>> least_bytes(parameters=10, lanes=2, image_bytes=3, batch=5)
    350
    """
    return lanes * (4 * parameters * itemsize + batch * image_bytes)


def flop_of(step: Callable[[], object]) -> int:
    """FLOP of a step, as torch counts them: a multiplication with its addition is two."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def floor(work: Work, speed: Speed) -> float:
    """The least time of a step in seconds: its bytes and its FLOP at full speed, whichever takes longer.

    >>> floor(Work(bytes=100, flop=10), Speed(bandwidth=50.0, peak=100.0))
    2.0
    """
    return max(work.bytes / speed.bandwidth, work.flop / speed.peak)


def measured_speed(device: torch.device, *, repeats: int = 5) -> Speed:
    """Speed of a large copy, which reads and writes, and of a large product of matrices: the quickest of some."""
    on_gpu = device.type == "cuda"
    size, side = (2**28, 8192) if on_gpu else (2**26, 1024)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    one = torch.rand(side, side, device=device)
    other, product = torch.rand_like(one), torch.empty_like(one)
    copy = quickest(lambda: target.copy_(source), device, repeats)
    multiply = quickest(lambda: torch.mm(one, other, out=product), device, repeats)
    return Speed(2 * size / copy, 2 * side**3 / multiply)

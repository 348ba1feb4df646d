"""What mixing two images of a batch takes: a partner for each image, and a share from a beta distribution."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

#: Proposals for one gamma number; one in 20 is rejected at most, so that all are with a probability below 1e-20.
_PROPOSALS: Final = 16
_GAMMA: Final = 2 * _PROPOSALS + 1


class Drawn(NamedTuple):
    """What is drawn for a batch of B images: where from each gets its partner, int64 [B], and the share it keeps."""

    partner: Tensor
    share: Tensor


def numbers_to_draw(batch: int) -> int:
    """How many standard normal numbers ``drawn`` takes for a batch."""
    return batch + 2 * _GAMMA


def drawn(noise: Tensor, batch: int, alpha: Tensor) -> Drawn:
    """A permutation of the batch and a share from Beta(alpha, alpha), which is 1 at alpha = 0.

    ``noise``: standard normal numbers [numbers_to_draw(batch)].
    """
    partner = noise[:batch].argsort(stable=True)
    return Drawn(partner, beta(alpha, noise[batch : batch + _GAMMA], noise[batch + _GAMMA :]))


def beta(alpha: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """A number from Beta(alpha, alpha), from twice 33 standard normal numbers; 1 at alpha = 0: scalar.

    ``G_1 / (G_1 + G_2)`` of two gamma numbers, by their logarithms, since small alpha makes them tiny.
    """
    # alpha = 0 is caught at the end; until then it must not make numbers that are none.
    safe = torch.where(alpha > 0, alpha, torch.ones_like(alpha))
    share = torch.sigmoid(_log_gamma_number(safe, first) - _log_gamma_number(safe, second))
    return torch.where(alpha > 0, share, torch.ones_like(share))


def _log_gamma_number(alpha: Tensor, normal: Tensor) -> Tensor:
    """The logarithm of a number from Gamma(alpha), from 33 standard normal numbers.

    Marsaglia and Tsang's method (2000) for alpha + 1, whose first accepted proposal counts, times U^(1 / alpha).
    """
    tiny = torch.finfo(normal.dtype).tiny
    proposals, log_uniform = normal[:_PROPOSALS], torch.special.ndtr(normal[_PROPOSALS:]).clamp(min=tiny).log()
    d = alpha + 1 - 1 / 3
    v = (1 + proposals / (9 * d).sqrt()) ** 3
    log_v = v.clamp(min=tiny).log()
    accepted = (v > 0) & (log_uniform[:-1] < proposals.square() / 2 + d - d * v + d * log_v)
    chosen = accepted.to(v.dtype).argmax()  # the first of the largest
    log_gamma: Tensor = d.log() + log_v.gather(0, chosen.unsqueeze(0)).squeeze(0) + log_uniform[-1] / alpha
    return log_gamma

"""Square: a random search for wrong images that needs no gradients (Andriushchenko et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor

from tune_reg.evaluation.autoattack.losses import margin

#: The share of an image that a square covers at first, and after how many of 10,000 queries it is halved.
_SHARE: Final = 0.8
_HALVED: Final = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def square(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    norm: Literal["linf", "l2"],
    queries: int,
    source: torch.Generator,
) -> Tensor:
    """Which images become wrong within ``epsilon``, as far as ``queries`` of the model for each find: bool [B].

    images [B, C, H, W] in [0, 1], labels int64 [B]; ``model``: logits [B, M] of images; ``source``: random numbers, on
    the CPU, which all images share, so that an image fares the same in every batch. From step to step a square at a
    random place is changed, smaller and smaller, and the change stays where the margin of the right class falls. In
    Linf the square gets a corner of the ball; in L2 a square takes over the norm of another one.

    Source: Andriushchenko, Croce, Flammarion and Hein, Square Attack: a Query-efficient Black-box Adversarial Attack
    via Random Search, ECCV 2020, algorithms 1 to 3, with the schedule of AutoAttack.
    """
    fooled = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    if not len(images):
        return fooled
    index = torch.arange(len(images), device=images.device)
    shape, begin, propose = images.shape[1:], _STRIPES[norm], _PROPOSALS[norm]
    best = (images + begin(images[0], epsilon, source)).clamp(0, 1)
    with torch.no_grad():
        least = margin(model(best), labels)
        for query in range(queries):
            left = least > 0
            if not left.all():
                fooled[index[~left]] = True
                index, images, labels, best, least = (t[left] for t in (index, images, labels, best, least))
            if not len(index):
                break
            moved = propose(best - images, shape, side(query, queries, shape), epsilon, source)
            tried = (images + moved).clamp(0, 1)
            tried_margin = margin(model(tried), labels)
            better = tried_margin < least
            best = torch.where(better.view(-1, 1, 1, 1), tried, best)
            least = torch.where(better, tried_margin, least)
    fooled[index[least <= 0]] = True
    return fooled


def side(query: int, queries: int, shape: torch.Size) -> int:
    """The side of the square in a query, for images [C, H, W].

    >>> [side(query, 5000, torch.Size([3, 32, 32])) for query in (0, 100, 4999)]
    [29, 14, 1]
    """
    at = query / queries * 10000
    share = _SHARE / 2 ** sum(at > bound for bound in _HALVED)
    return min(max(round(math.sqrt(share * shape[1] * shape[2])), 1), shape[1], shape[2])


def _signs(shape: tuple[int, ...], source: torch.Generator, like: Tensor) -> Tensor:
    """1 and -1, each as likely."""
    return (torch.randint(2, shape, generator=source) * 2 - 1).to(like)


def _corner(height: int, width: int, size: int, source: torch.Generator) -> tuple[slice, slice]:
    """A square at a random place, as rows and columns."""
    row = int(torch.randint(height - size + 1, (1,), generator=source))
    column = int(torch.randint(width - size + 1, (1,), generator=source))
    return slice(row, row + size), slice(column, column + size)


# In Linf


def _linf_stripes(image: Tensor, epsilon: float, source: torch.Generator) -> Tensor:
    """Vertical stripes of +-epsilon: [C, 1, W]."""
    channels, _, width = image.shape
    return epsilon * _signs((channels, 1, width), source, image)


def _linf_proposal(moved: Tensor, shape: torch.Size, size: int, epsilon: float, source: torch.Generator) -> Tensor:
    """The change [B, C, H, W] of each image with a square of +-epsilon, one sign for each channel."""
    rows, columns = _corner(shape[1], shape[2], size, source)
    proposed = moved.clone()
    proposed[:, :, rows, columns] = epsilon * _signs((shape[0], 1, 1), source, moved)
    return proposed


# In L2


def _l2_stripes(image: Tensor, epsilon: float, source: torch.Generator) -> Tensor:
    """A fifth of the image's side wide, tiles of two opposite bumps each, of norm epsilon together: [C, H, W]."""
    channels, height, width = image.shape
    size, tiles = max(min(height, width) // 5, 1), torch.zeros_like(image)
    for row in range(0, height - size + 1, size):
        for column in range(0, width - size + 1, size):
            signs = _signs((channels, 1, 1), source, image)
            tiles[:, row : row + size, column : column + size] = signs * _bumps(size, source).to(image)
    scaled: Tensor = tiles * (epsilon / torch.linalg.vector_norm(tiles))
    return scaled


def _l2_proposal(moved: Tensor, shape: torch.Size, size: int, epsilon: float, source: torch.Generator) -> Tensor:
    """The change [B, C, H, W] of each image with new bumps in one square, at the cost of the norm in another."""
    size = min(max(size, 3) | 1, shape[1], shape[2])
    window, emptied = _corner(shape[1], shape[2], size, source), _corner(shape[1], shape[2], size, source)
    old = moved[:, :, window[0], window[1]]
    both = moved.new_zeros(shape[1:])
    both[window], both[emptied] = 1, 1
    within = (moved * both).square().sum((2, 3), keepdim=True)
    unused = (epsilon**2 - moved.square().sum((1, 2, 3), keepdim=True)).clamp(min=0) / shape[0]
    new = _signs((shape[0], 1, 1), source, moved) * _bumps(size, source).to(moved)
    new = new + old / (old.square().sum((2, 3), keepdim=True).sqrt() + 1e-12)
    new = new / (new.square().sum((2, 3), keepdim=True).sqrt() + 1e-12) * (within + unused).sqrt()
    proposed = moved.clone()
    proposed[:, :, emptied[0], emptied[1]] = 0
    proposed[:, :, window[0], window[1]] = new
    scaled: Tensor = proposed * (epsilon / (torch.linalg.vector_norm(proposed, dim=(1, 2, 3), keepdim=True) + 1e-12))
    return scaled


def _bumps(size: int, source: torch.Generator) -> Tensor:
    """A bump in one half of a square and its opposite in the other, of norm 1: [size, size]."""
    half = size // 2
    made = torch.cat([_bump(half, size), -_bump(size - half, size)])
    made /= torch.linalg.vector_norm(made)
    return made.T if torch.rand(1, generator=source) > 0.5 else made


def _bump(height: int, width: int) -> Tensor:
    """Rectangles about the middle, one on the other, the k-th of the height 1 / k^2: [height, width]."""
    rows, columns = torch.arange(height).unsqueeze(1), torch.arange(width)
    ring = torch.maximum((rows - height // 2).abs(), (columns - width // 2).abs())
    most = max(height // 2, width // 2)
    levels = [torch.where(ring <= k, 1 / (k + 1) ** 2, 0.0) for k in range(most + 1)]
    return torch.stack(levels).sum(0) if height else torch.zeros(0, width)


_STRIPES: Final = {"linf": _linf_stripes, "l2": _l2_stripes}
_PROPOSALS: Final = {"linf": _linf_proposal, "l2": _l2_proposal}

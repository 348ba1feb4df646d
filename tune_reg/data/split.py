"""Splits of the training images: which ones train, which ones validate, and which part of them a study uses."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_reg.errors import DataError, StudyError


def train_validation(n: int, labels: Tensor, validation: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split 0..n-1 in two parts, stratified by label: (train, validation), int64, each ascending.

    ``validation`` in [0, 1) is the share of the second part, round(validation * n) images (at least one, if the share
    is not 0), of which each class gives its share, rounded to whole images. The parts are disjoint, cover all images
    and depend on the labels and the seed alone. Raises StudyError for the share, DataError for the labels.

    >>> train, val = train_validation(6, torch.tensor([0, 0, 0, 1, 1, 1]), 1 / 3, seed=0)
    >>> train.tolist(), val.tolist()
    ([0, 1, 3, 4], [2, 5])
    """
    if labels.shape != (n,):
        raise DataError(f"labels must have the shape [{n}], one an image, got {list(labels.shape)}")
    if not 0 <= validation < 1:
        raise StudyError(f"validation must lie in [0, 1), got {validation!r}")
    held_out = max(1, round(validation * n)) if validation else 0
    if held_out >= n:
        raise StudyError(f"validation = {validation!r} of {n} images leaves none to train on; use less or more images")
    return stratified(labels, held_out, _permutation(n, seed))


def stratified(labels: Tensor, held_out: int, order: Tensor) -> tuple[Tensor, Tensor]:
    """Hold out ``held_out`` of the images, each class in proportion: (rest, held out), int64, each ascending.

    labels: int64 [N]. order: a permutation of 0..N-1; each class gives its first images in this order. Images that are
    left over by rounding come from the classes with the largest remainders (the lower class at a tie).

    >>> stratified(torch.tensor([0, 0, 0, 0, 1, 1]), 3, torch.arange(6))
    (tensor([2, 3, 5]), tensor([0, 1, 4]))
    """
    labels = labels.cpu()
    counts = torch.bincount(labels).tolist()
    n = len(labels)
    # Whole numbers throughout: remainders of floats would break ties by their rounding.
    shares = [divmod(count * held_out, n) for count in counts]
    take = [whole for whole, _ in shares]
    by_remainder = sorted(range(len(counts)), key=lambda c: (-shares[c][1], c))
    for c in by_remainder[: held_out - sum(take)]:
        take[c] += 1
    held = torch.zeros(n, dtype=torch.bool)
    ordered = labels[order]
    for c, k in enumerate(take):
        held[order[ordered == c][:k]] = True
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def subset(indices: Tensor, fraction: float, seed: int) -> Tensor:
    """A random part of the indices: max(1, round(fraction * n)) of them, not stratified.

    The part is the beginning of one permutation drawn from the seed, in that order, so that a smaller fraction lies
    inside every larger one. Raises StudyError for a fraction outside (0, 1].

    >>> half = subset(torch.arange(100), 1 / 2, seed=3)
    >>> quarter = subset(torch.arange(100), 1 / 4, seed=3)
    >>> bool((half[:25] == quarter).all()), len(subset(torch.arange(100), 1e-6, seed=3))
    (True, 1)
    """
    if not 0 < fraction <= 1:
        raise StudyError(f"fraction must lie in (0, 1], got {fraction!r}")
    if len(indices) == 0:
        raise DataError("indices must not be empty")
    size = max(1, round(fraction * len(indices)))
    return indices[_permutation(len(indices), seed)[:size].to(indices.device)]


def subset_per_class(indices: Tensor, labels: Tensor, count: int, seed: int) -> Tensor:
    """The indices of ``count`` images of each class: the first ones of one permutation drawn from the seed.

    indices: int64 [N] into ``labels``, int64. The images of a smaller count lie inside those of every larger one.
    Raises StudyError for a count below 1 or above the size of a class.

    >>> labels = torch.tensor([0, 1, 0, 1, 0])
    >>> labels[subset_per_class(torch.arange(5), labels, 2, seed=0)].sort().values.tolist()
    [0, 0, 1, 1]
    """
    if count < 1:
        raise StudyError(f"images_per_class must be >= 1, but got {count}")
    shuffled = indices[_permutation(len(indices), seed).to(indices.device)]
    of_class = torch.nn.functional.one_hot(labels.cpu()[shuffled.cpu()])
    fewest = int(of_class.sum(0).min()) if len(indices) else 0
    if count > fewest:
        raise StudyError(
            f"images_per_class must be <= {fewest}, the images for training of the smallest class, but got {count}"
        )
    # The rank of each image within its class, from 1.
    rank = (of_class.cumsum(0) * of_class).sum(1)
    return shuffled[(rank <= count).to(shuffled.device)]


def _permutation(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))

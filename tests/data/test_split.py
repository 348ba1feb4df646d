from __future__ import annotations

import itertools

import pytest
import torch

from tune_reg.data import subset, subset_per_class, train_validation
from tune_reg.data.split import stratified
from tune_reg.errors import DataError, StudyError

LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 17 + [3] * 3)[
    torch.randperm(100, generator=torch.Generator().manual_seed(9))
]


@pytest.mark.parametrize("validation", [0.01, 0.1, 0.25, 1 / 3, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_disjoint_covering_and_in_proportion(validation, seed):
    train, val = train_validation(100, LABELS, validation, seed)
    assert torch.cat([train, val]).sort().values.equal(torch.arange(100))
    assert len(val) == round(validation * 100)
    assert train.equal(train.sort().values)
    assert train.dtype == val.dtype == torch.int64
    for c, count in enumerate(LABELS.bincount().tolist()):
        assert abs(int((LABELS[val] == c).sum()) - validation * count) < 1


def test_a_function_of_the_seed():
    first, again, other = (train_validation(100, LABELS, 0.2, seed)[1] for seed in (4, 4, 5))
    assert first.equal(again)
    assert not first.equal(other)
    state = torch.get_rng_state()
    train_validation(100, LABELS, 0.2, 1)
    subset(torch.arange(5), 0.5, 1)
    assert torch.get_rng_state().equal(state)


def test_without_validation():
    train, val = train_validation(100, LABELS, 0, seed=0)
    assert len(val) == 0
    assert len(train) == 100


def test_at_least_one_image_validates():
    assert len(train_validation(100, LABELS, 1e-6, seed=0)[1]) == 1


@pytest.mark.parametrize("validation", [-0.1, 1, 1.5, float("nan")])
def test_share_outside_its_range(validation):
    with pytest.raises(StudyError, match=r"validation must lie in \[0, 1\), got"):
        train_validation(100, LABELS, validation, seed=0)


def test_nothing_left_to_train_on():
    with pytest.raises(StudyError, match="leaves none to train on"):
        train_validation(2, torch.tensor([0, 1]), 0.99, seed=0)


def test_labels_of_another_length():
    with pytest.raises(DataError, match=r"labels must have the shape \[99\]"):
        train_validation(99, LABELS, 0.1, seed=0)


def test_remainders_go_to_the_largest():
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)  # 4 of 10: 2.0, 1.2, 0.8
    rest, held = stratified(labels, 4, torch.arange(10))
    assert held.tolist() == [0, 1, 5, 8]
    assert rest.tolist() == [2, 3, 4, 6, 7, 9]


def test_subsets_lie_inside_each_other():
    indices = torch.randperm(1000, generator=torch.Generator().manual_seed(0)) + 7
    parts = [subset(indices, fraction, seed=3) for fraction in (1 / 8, 1 / 4, 1 / 2, 1)]
    assert [len(part) for part in parts] == [125, 250, 500, 1000]
    for small, large in itertools.pairwise(parts):
        assert large[: len(small)].equal(small)
    assert parts[-1].sort().values.equal(indices.sort().values)
    assert not subset(indices, 1 / 2, seed=4).equal(parts[2])


def test_subsets_are_uniform():
    counts = torch.zeros(20)
    for seed in range(4000):
        counts[subset(torch.arange(20), 0.25, seed)] += 1
    # Each index is in with probability 1/4: 1000 +- 27; 5 standard deviations.
    assert counts.sub(1000).abs().max() < 5 * 27.4


@pytest.mark.parametrize(("fraction", "size"), [(1e-9, 1), (0.04, 1), (0.26, 3), (1, 10), (0.999, 10)])
def test_subset_size(fraction, size):
    assert len(subset(torch.arange(10), fraction, seed=0)) == size


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_fraction_outside_its_range(fraction):
    with pytest.raises(StudyError, match=r"fraction must lie in \(0, 1\], got"):
        subset(torch.arange(10), fraction, seed=0)


def test_no_indices():
    with pytest.raises(DataError, match="indices must not be empty"):
        subset(torch.arange(0), 1, seed=0)


def test_so_many_of_each_class_nested_and_in_the_order_of_one_permutation():
    indices = torch.arange(100).flip(0)[LABELS.flip(0) != 3]
    small, large = (subset_per_class(indices, LABELS, count, seed=4) for count in (3, 11))
    assert torch.bincount(LABELS[small]).tolist() == [3, 3, 3]
    assert torch.bincount(LABELS[large]).tolist() == [11, 11, 11]
    assert set(small.tolist()) < set(large.tolist()) < set(indices.tolist())
    assert [i for i in large.tolist() if i in small.tolist()] == small.tolist()
    assert set(small.tolist()) != set(subset_per_class(indices, LABELS, 3, seed=5).tolist())


def test_a_class_without_enough_images_is_one_line():
    with pytest.raises(StudyError, match=r"images_per_class must be <= 3, .* but got 4"):
        subset_per_class(torch.arange(100), LABELS, 4, seed=0)
    with pytest.raises(StudyError, match="images_per_class must be >= 1, but got 0"):
        subset_per_class(torch.arange(100), LABELS, 0, seed=0)

from __future__ import annotations

import pytest
import torch

from tune_reg.data import crop_flip
from tune_reg.data.augment import draw
from tune_reg.errors import DataError, StudyError


def naive(images, shifts, mirrored, padding):
    """One image, one pixel at a time."""
    out = torch.zeros_like(images)
    count, _, height, width = images.shape
    for b in range(count):
        for i in range(height):
            for j in range(width):
                source_j = width - 1 - j if mirrored[b] else j
                y, x = i + int(shifts[0, b]) - padding, source_j + int(shifts[1, b]) - padding
                if 0 <= y < height and 0 <= x < width:
                    out[b, :, i, j] = images[b, :, y, x]
    return out


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(11, 3, 6, 7), (9, 1, 8, 8), (1, 2, 3, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_the_naive_loop(padding, flip, dtype, shape, layout):
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(1, 256, shape, generator=generator).to(dtype).contiguous(memory_format=layout)
    before = images.clone()
    out = crop_flip(images, torch.Generator().manual_seed(7), padding=padding, flip=flip)
    drawn = draw(len(images), torch.Generator().manual_seed(7), padding=padding, flip=flip)
    assert out.equal(naive(images, *drawn, padding))
    assert out.dtype == dtype
    assert out.shape == shape
    assert out.is_contiguous(memory_format=layout)
    assert images.equal(before)


def test_same_seed_same_batch():
    images = torch.rand(50, 3, 8, 8)
    first, again, other = (crop_flip(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)
    generator = torch.Generator().manual_seed(1)
    assert not crop_flip(images, generator).equal(crop_flip(images, generator))


def test_every_place_comes_up_alike():
    shifts, mirrored = draw(90_000, torch.Generator().manual_seed(0), padding=1, flip=True)
    counts = (shifts[0] * 3 + shifts[1]).bincount()
    assert counts.sub(10_000).abs().max() < 500  # 5 standard deviations
    assert abs(int(mirrored.sum()) - 45_000) < 750


def test_the_global_state_is_left_alone():
    state = torch.get_rng_state()
    crop_flip(torch.rand(2, 1, 4, 4, generator=torch.Generator()), torch.Generator())
    assert torch.get_rng_state().equal(state)


@pytest.mark.cuda
def test_same_on_every_device():
    images = torch.rand(20, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    on_cpu = crop_flip(images, torch.Generator().manual_seed(1))
    on_gpu = crop_flip(images.cuda(), torch.Generator().manual_seed(1))
    assert on_gpu.is_cuda
    assert on_gpu.is_contiguous(memory_format=torch.channels_last)
    assert on_gpu.cpu().equal(on_cpu)


def test_bad_input():
    with pytest.raises(DataError, match=r"images must have the shape \[B, C, H, W\], got \[2, 3, 3\]"):
        crop_flip(torch.rand(2, 3, 3), torch.Generator())
    for padding in (-1, 1.5, True):
        with pytest.raises(StudyError, match="padding must be a whole number of at least 0, got"):
            crop_flip(torch.rand(2, 1, 3, 3), torch.Generator(), padding=padding)

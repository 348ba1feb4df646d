"""Max-pooling by Triton's kernels, in its interpreter: torch's values and derivatives bit for bit."""

from functools import partial

import pytest
import torch
from interpreted_kernels import interpreted, needs_triton
from pooled_images import ORDERS, images_in, of_each, same_bits

from tune_reg.training.max_pool import _as_they_lie, layer_of

pytestmark = needs_triton


@pytest.fixture
def pool(monkeypatch):
    in_one_pass = interpreted(monkeypatch, "tune_reg.training.max_pool_kernel", "pool_in_one_pass")
    return lambda images, window: _as_they_lie(partial(in_one_pass, window=window), images)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    ("window", "left_over"), [((2, 2), (0, 0)), ((3, 3), (2, 1)), ((2, 3), (0, 2)), ((1, 2), (0, 0))]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_and_gradients_are_those_of_torch_bit_for_bit(pool, order, window, left_over, dtype):
    for values in ("random", "ties", "zeros of both signs", "not finite", "infinite", "nothing but -inf"):
        images = images_in(order, window, values, dtype, left_over).requires_grad_()
        reference = of_each(images, window)
        along = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
        (gradient,) = torch.autograd.grad(reference, images, along)
        outputs = pool(images, window)
        (taken,) = torch.autograd.grad(outputs, images, along)
        assert same_bits(outputs, reference), values
        assert torch.equal(taken, gradient), values
        assert layer_of(outputs, window).order == order
        assert taken.stride() == images.stride()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_first_and_second_derivatives_are_those_of_finite_differences(pool, order):
    images = images_in(order, (2, 2), "random", left_over=(1, 1)).requires_grad_()

    def function(images):
        return pool(images, (2, 2)).square()

    assert torch.autograd.gradcheck(function, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, images, fast_mode=True)


def test_more_numbers_than_a_program_writes(pool):
    images = torch.randn(3, 5, 21, 33, dtype=torch.float64)
    assert torch.equal(pool(images, (2, 2)), torch.nn.functional.max_pool2d(images, 2))


def test_images_whose_places_do_not_fit_into_32_bits_are_refused(pool):
    with pytest.raises(ValueError, match="fewer than 2"):
        pool(torch.zeros(1, dtype=torch.uint8).expand(2, 2**10, 2**10, 2**10), (2, 2))

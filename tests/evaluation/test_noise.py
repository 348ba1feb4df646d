import pytest
import torch

from tune_reg.evaluation import gaussian_noise, salt_and_pepper, uniform_noise

GREY = torch.full((20, 3, 16, 16), 0.5)


def test_gaussian_noise_has_its_deviation():
    noise = gaussian_noise(GREY, 0.05, seed=1) - GREY
    assert noise.mean().item() == pytest.approx(0, abs=0.002)
    assert noise.std().item() == pytest.approx(0.05, rel=0.02)
    # A share of 0.3173 of a normal variable lies beyond one deviation.
    assert (noise.abs() > 0.05).double().mean().item() == pytest.approx(0.3173, abs=0.015)


def test_uniform_noise_fills_its_width():
    noise = uniform_noise(GREY, 0.2, seed=1) - GREY
    assert noise.abs().max().item() == pytest.approx(0.2, rel=0.01)
    assert noise.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.004)


def test_salt_and_pepper_hits_its_share_of_the_values():
    hit = salt_and_pepper(GREY, 0.1, seed=1)
    assert set(hit.unique().tolist()) == {0.0, 0.5, 1.0}
    assert (hit != 0.5).double().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (hit == 1).sum().item() == pytest.approx((hit == 0).sum().item(), rel=0.15)


@pytest.mark.parametrize("noise", [gaussian_noise, uniform_noise, salt_and_pepper])
def test_noise_is_a_matter_of_the_seed_and_grows_from_one_pattern(noise):
    weak, strong = noise(GREY, 0.05, 3), noise(GREY, 0.1, 3)
    assert weak.equal(noise(GREY, 0.05, 3))
    assert not weak.equal(noise(GREY, 0.05, 4))
    if noise is salt_and_pepper:
        assert strong[weak != 0.5].equal(weak[weak != 0.5])
    else:
        torch.testing.assert_close(strong - GREY, 2 * (weak - GREY), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("noise", [gaussian_noise, uniform_noise, salt_and_pepper])
def test_images_stay_in_range_and_the_argument_as_it_was(noise):
    images = torch.rand(5, 1, 8, 8, dtype=torch.float64).round()
    before = images.clone()
    noisy = noise(images, 0.9, 0)
    assert noisy.dtype == torch.float64
    assert (noisy.min(), noisy.max()) == (0, 1)
    assert images.equal(before)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    noise(images, 0.9, 0)
    assert torch.get_rng_state().equal(state)

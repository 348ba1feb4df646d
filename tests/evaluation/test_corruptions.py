import io
import math
import re

import matplotlib.colors
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import affine_transform

from tune_reg.errors import StudyError
from tune_reg.evaluation import CORRUPTIONS, corrupt
from tune_reg.training.seeding import derive, generator


@pytest.fixture(scope="module")
def images():
    """Smooth coloured images with some black and white in them, 32 x 32."""
    drawn = torch.Generator().manual_seed(0)
    coarse = torch.rand(12, 3, 6, 6, generator=drawn, dtype=torch.float64) * 1.6 - 0.3
    return torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear").clamp(0, 1)


def test_the_names():
    assert (
        *("gaussian-noise", "shot-noise", "impulse-noise", "speckle-noise", "gaussian-blur", "contrast"),
        *("brightness", "pixelate", "jpeg", "shift", "rotation"),
    ) == CORRUPTIONS


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8), (4, 9, 7)])
def test_each_keeps_shape_and_range_and_grows_with_severity(name, shape):
    images = torch.rand(40, *shape, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    distances = []
    for severity in (1, 2, 3, 4, 5):
        changed = corrupt(images, name, severity, seed=1)
        assert changed.shape == images.shape
        assert changed.dtype == images.dtype
        assert 0 <= changed.min() <= changed.max() <= 1
        assert changed.equal(corrupt(images, name, severity, seed=1))
        distances.append((changed - images).abs().mean().item())
    assert distances[0] > 0
    assert distances == sorted(distances)
    assert distances[4] > distances[0]
    assert images.equal(before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_only_what_is_drawn_depends_on_the_seed(images, name):
    drawn = name.endswith("noise") or name in ("shift", "rotation")
    assert corrupt(images, name, 3, seed=1).equal(corrupt(images, name, 3, seed=2)) is not drawn
    state = torch.get_rng_state()
    corrupt(images, name, 3)
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize(("severity", "std"), list(enumerate((0.04, 0.06, 0.08, 0.09, 0.10), 1)))
def test_gaussian_noise(severity, std):
    noise = corrupt(torch.full((20, 1, 32, 32), 0.5), "gaussian-noise", severity) - 0.5
    assert noise.std().item() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize(("severity", "rate"), list(enumerate((500, 250, 100, 75, 50), 1)))
def test_shot_noise_is_poisson(severity, rate):
    # Mean x, variance x / rate.
    changed = corrupt(torch.full((40, 1, 32, 32), 0.3, dtype=torch.float64), "shot-noise", severity)
    assert (changed * rate - (changed * rate).round()).abs().max() < 1e-9
    assert changed.mean().item() == pytest.approx(0.3, rel=0.01)
    assert changed.var().item() == pytest.approx(0.3 / rate, rel=0.03)


@pytest.mark.parametrize(("severity", "share"), list(enumerate((0.01, 0.02, 0.03, 0.05, 0.07), 1)))
def test_impulse_noise(severity, share):
    changed = corrupt(torch.full((40, 1, 32, 32), 0.5), "impulse-noise", severity)
    assert set(changed.unique().tolist()) == {0.0, 0.5, 1.0}
    assert (changed != 0.5).double().mean().item() == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize(("severity", "std"), list(enumerate((0.06, 0.1, 0.12, 0.16, 0.2), 1)))
def test_speckle_noise_is_relative(severity, std):
    images = torch.full((20, 1, 32, 32), 0.4, dtype=torch.float64)
    images[10:] = 0.2
    noise = corrupt(images, "speckle-noise", severity) / images - 1
    assert noise[:10].std().item() == pytest.approx(std, rel=0.03)
    assert noise[10:].std().item() == pytest.approx(std, rel=0.03)


@pytest.mark.parametrize(("severity", "std"), list(enumerate((0.4, 0.6, 0.7, 0.8, 1.0), 1)))
def test_gaussian_blur_is_a_normal_kernel_cut_at_four_deviations(images, severity, std):
    radius = int(4 * std + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / std) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (radius, radius), (radius, radius)), mode="edge")
    expected = sum(
        kernel[i] * kernel[j] * padded[:, :, i : i + 32, j : j + 32]
        for i in range(2 * radius + 1)
        for j in range(2 * radius + 1)
    )
    np.testing.assert_allclose(corrupt(images, "gaussian-blur", severity).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("severity", "left"), list(enumerate((0.75, 0.5, 0.4, 0.3, 0.15), 1)))
def test_contrast_is_drawn_to_the_mean_of_each_channel(images, severity, left):
    array = images.numpy()
    for image, changed in zip(array, corrupt(images, "contrast", severity).numpy(), strict=True):
        for channel in range(3):
            mean = image[channel].mean()
            np.testing.assert_allclose(changed[channel], (image[channel] - mean) * left + mean, atol=1e-12)


@pytest.mark.parametrize(("severity", "more"), list(enumerate((0.05, 0.1, 0.15, 0.2, 0.3), 1)))
def test_brightness_is_v_of_hsv(images, severity, more):
    hsv = matplotlib.colors.rgb_to_hsv(images.permute(0, 2, 3, 1).numpy())
    assert hsv[..., 2].min() == 0
    hsv[..., 2] = np.clip(hsv[..., 2] + more, 0, 1)
    expected = matplotlib.colors.hsv_to_rgb(hsv)
    changed = corrupt(images, "brightness", severity).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(changed, expected, atol=1e-9)


def test_brightness_of_grey_images_is_a_sum():
    images = torch.rand(3, 1, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(corrupt(images, "brightness", 3), (images + 0.15).clamp(max=1))


@pytest.mark.parametrize(("severity", "side"), list(enumerate((30, 28, 27, 24, 20), 1)))
def test_pixelate_is_pillows_box(images, severity, side):
    changed = corrupt(images, "pixelate", severity)
    for image, expected in zip(images, changed, strict=True):
        array = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        small = Image.fromarray(array).resize((side, side), Image.Resampling.BOX)
        big = np.asarray(small.resize((32, 32), Image.Resampling.BOX)) / 255
        np.testing.assert_allclose(expected.permute(1, 2, 0).numpy(), big, atol=1e-12)


@pytest.mark.parametrize(("severity", "quality"), list(enumerate((80, 65, 58, 50, 40), 1)))
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(images, severity, quality, channels):
    images = images[:, :channels]
    for image, changed in zip(images, corrupt(images, "jpeg", severity), strict=True):
        array = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(array[..., 0] if channels == 1 else array).save(buffer, "JPEG", quality=quality)
        expected = np.asarray(Image.open(buffer)).reshape(32, 32, channels) / 255
        np.testing.assert_allclose(changed.permute(1, 2, 0).numpy(), expected, atol=1e-12)


def moved(image, matrix, shape):
    """scipy's: each channel read at ``matrix`` @ (row, column, 1), places outside black, bilinear between."""
    linear, offset = matrix[:, :2], matrix[:, 2]
    centre = (np.array(shape) - 1) / 2
    offset = offset + centre - linear @ centre
    return np.stack(
        [affine_transform(channel, linear, offset, order=1, mode="grid-constant", cval=0.0) for channel in image]
    )


@pytest.mark.parametrize(("severity", "share"), [(1, 1 / 32), (5, 5 / 32)])
def test_shift_is_that_share_of_the_side(images, severity, share):
    images = images[:, :, :, :24]  # 32 rows of 24 pixels
    angle = (
        2
        * math.pi
        * torch.rand(12, generator=generator(derive(4, "corruption", "shift"), "direction"), dtype=torch.float64)
    )
    for image, changed, a in zip(images, corrupt(images, "shift", severity, seed=4), angle.tolist(), strict=True):
        matrix = np.array([[1, 0, 32 * share * math.sin(a)], [0, 1, 24 * share * math.cos(a)]])
        np.testing.assert_allclose(changed.numpy(), moved(image.numpy(), matrix, (32, 24)), atol=1e-9)
    assert angle.max() - angle.min() > math.pi


@pytest.mark.parametrize(("severity", "degrees"), list(enumerate((5, 10, 15, 20, 30), 1)))
def test_rotation_is_about_the_centre_to_either_side(images, severity, degrees):
    images = images[:, :, :, :24]
    sides = set()
    for image, changed in zip(images, corrupt(images, "rotation", severity), strict=True):
        for side in (1, -1):
            a = side * math.radians(degrees)
            matrix = np.array([[math.cos(a), math.sin(a), 0], [-math.sin(a), math.cos(a), 0]])
            if np.allclose(changed.numpy(), moved(image.numpy(), matrix, (32, 24)), atol=1e-9):
                sides.add(side)
                break
        else:
            pytest.fail("neither side")
    assert sides == {1, -1}


@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [
        ("jpg", 1, "unknown corruption 'jpg'; did you mean 'jpeg'? known: gaussian-noise, "),
        ("jpeg", 0, "severity: must be one of 1, 2, 3, 4, 5, but got 0"),
        ("jpeg", 6, "severity: must be one of 1, 2, 3, 4, 5, but got 6"),
    ],
)
def test_what_is_wrong_is_one_line(images, name, severity, message):
    with pytest.raises(StudyError, match=f"^{re.escape(message)}"):
        corrupt(images, name, severity)

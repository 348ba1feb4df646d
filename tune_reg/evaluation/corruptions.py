"""Common corruptions of images, at severities 1 to 5.

The parameters are those of CIFAR-10-C, made for images of 32 x 32, as its ``make_cifar_c.py`` has them; those of shift
and rotation, which it lacks, are this package's own. Blur counts in pixels; pixelation and shift are relative to
the image's side. Images stay floats in [0, 1], where CIFAR-10-C cuts them to bytes; JPEG and pixelation need bytes
and round to them. Noise and directions depend on the seed alone, so that all regularizers are tested on the same
images.

Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
ICLR 2019.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.evaluation.noise import gaussian_noise, salt_and_pepper
from tune_reg.training.seeding import derive, generator

SEVERITIES: Final = (1, 2, 3, 4, 5)

#: What a report calls all corruptions together, and the key of their publication in ``references.bib``.
METHOD: Final = "Common corruptions"
CITATION: Final = "hendrycks2019benchmarking"


def corrupt(images: Tensor, name: str, severity: int, seed: int = 0) -> Tensor:
    """The images under the corruption ``name`` of ``CORRUPTIONS``, at ``severity`` 1 to 5.

    ``images``: float [N, C, H, W] in [0, 1]; the result has the same shape, dtype and device. Raises ``StudyError``
    for an unknown name or severity.

    >>> corrupt(torch.rand(2, 3, 32, 32), "jpeg", severity=5).shape
    torch.Size([2, 3, 32, 32])
    """
    if name not in CORRUPTIONS:
        raise StudyError(f"unknown corruption {name!r}{did_you_mean(name, CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise StudyError(f"severity: must be one of 1, 2, 3, 4, 5, but got {severity!r}")
    corruption = _CATALOG[name]
    parameter = corruption.parameters[severity - 1]
    changed = corruption.run(images.cpu(), parameter, derive(seed, "corruption", name))
    return changed.clamp(0, 1).to(images)


def _shot_noise(images: Tensor, rate: float, seed: int) -> Tensor:
    """A Poisson number of photons of mean ``rate x``, divided by ``rate``."""
    return torch.poisson(images * rate, generator=generator(seed, "shot", str(rate))) / rate


def _speckle_noise(images: Tensor, std: float, seed: int) -> Tensor:
    """Gaussian noise in proportion to each value."""
    drawn = torch.randn(images.shape, generator=generator(seed, "speckle"), dtype=torch.float32)
    return images + images * std * drawn.to(images)


def _gaussian_blur(images: Tensor, std: float, _seed: int) -> Tensor:
    """Blur by a Gaussian of ``std`` pixels."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(images.numpy(), sigma=(0, 0, std, std), mode="nearest", truncate=4.0)
    return torch.from_numpy(blurred)


def _contrast(images: Tensor, factor: float, _seed: int) -> Tensor:
    """Each value moved towards the mean of its channel, so that ``factor`` of the contrast is left."""
    mean = images.mean((2, 3), keepdim=True)
    return mean + factor * (images - mean)


def _brightness(images: Tensor, more: float, _seed: int) -> Tensor:
    """The V of hue, saturation and value raised by ``more``: channels keep their proportions, black becomes grey."""
    value = images.amax(1, keepdim=True)
    raised = (value + more).clamp(max=1)
    return torch.where(value > 0, images * (raised / value.where(value > 0, 1)), raised)


def _pixelate(images: Tensor, scale: float, _seed: int) -> Tensor:
    """Scaled down to ``int(scale side)`` pixels a side and up again, by means over the areas of the pixels."""
    from PIL import Image

    height, width = images.shape[2:]
    small = (max(1, int(width * scale)), max(1, int(height * scale)))
    changed = _bytes(images)
    for image in changed.reshape(-1, height, width):
        down = Image.fromarray(image).resize(small, Image.Resampling.BOX)
        image[:] = np.asarray(down.resize((width, height), Image.Resampling.BOX))
    return _floats(changed)


def _jpeg(images: Tensor, quality: float, _seed: int) -> Tensor:
    """Saved as JPEG: images of three channels in colour, else each channel as a grey image."""
    from PIL import Image

    changed = _bytes(images)
    colour = images.shape[1] == 3
    views = changed.transpose(0, 2, 3, 1) if colour else changed.reshape(-1, *images.shape[2:])
    for view in views:
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(view)).save(buffer, "JPEG", quality=int(quality))
        view[:] = np.asarray(Image.open(buffer))
    return _floats(changed)


def _shift(images: Tensor, share: float, seed: int) -> Tensor:
    """Shifted by ``share`` of the side in a random direction for each image, bilinear, with black beyond the border."""
    angle = 2 * math.pi * torch.rand(len(images), generator=generator(seed, "direction"), dtype=torch.float64)
    matrix = torch.eye(2, 3, dtype=torch.float64).repeat(len(images), 1, 1)
    # The grid reaches from -1 to 1, so a side has the length 2.
    matrix[:, :, 2] = 2 * share * torch.stack([angle.cos(), angle.sin()], 1)
    return _moved(images, matrix)


def _rotation(images: Tensor, degrees: float, seed: int) -> Tensor:
    """Rotated about the centre, at random to the left or right, bilinear, with black beyond the border."""
    left = torch.rand(len(images), generator=generator(seed, "direction"), dtype=torch.float64) < 0.5
    angle = math.radians(degrees) * torch.where(left, 1.0, -1.0).double()
    height, width = images.shape[2:]
    zero = torch.zeros_like(angle)
    # In the units of the grid, in which both sides have the length 2.
    rows = [
        torch.stack([angle.cos(), -angle.sin() * height / width, zero], 1),
        torch.stack([angle.sin() * width / height, angle.cos(), zero], 1),
    ]
    return _moved(images, torch.stack(rows, 1))


def _moved(images: Tensor, matrix: Tensor) -> Tensor:
    """Each image sampled where its affine ``matrix`` [N, 2, 3] maps the positions of the pixels to."""
    grid = functional.affine_grid(matrix.to(images.dtype), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _bytes(images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ascontiguousarray((images * 255).round().to(torch.uint8).numpy())


def _floats(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(images).double() / 255


@dataclass(frozen=True)
class Corruption:
    """A corruption that a study can ask for: ``run(images, parameter, seed)`` returns the corrupted images."""

    name: str
    #: One line for people: what happens to the images, and what the parameter counts.
    description: str
    run: Callable[[Tensor, float, int], Tensor]
    #: By severity, 1 to 5.
    parameters: tuple[float, float, float, float, float]


_CATALOG: Final = {
    corruption.name: corruption
    for corruption in (
        Corruption(
            "gaussian-noise", "Gaussian noise: standard deviation", gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)
        ),
        Corruption("shot-noise", "shot noise: photons of a white pixel", _shot_noise, (500, 250, 100, 75, 50)),
        Corruption(
            "impulse-noise", "salt and pepper: share of the values", salt_and_pepper, (0.01, 0.02, 0.03, 0.05, 0.07)
        ),
        Corruption(
            "speckle-noise",
            "noise in proportion to each value: relative standard deviation",
            _speckle_noise,
            (0.06, 0.1, 0.12, 0.16, 0.2),
        ),
        Corruption(
            "gaussian-blur", "Gaussian blur: standard deviation in pixels", _gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0)
        ),
        Corruption("contrast", "less contrast: the share that is left", _contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
        Corruption("brightness", "more brightness: added to V of HSV", _brightness, (0.05, 0.1, 0.15, 0.2, 0.3)),
        Corruption(
            "pixelate", "pixelation: pixels left, relative to the side", _pixelate, (0.95, 0.9, 0.85, 0.75, 0.65)
        ),
        Corruption("jpeg", "JPEG compression: quality", _jpeg, (80, 65, 58, 50, 40)),
        # The parameters of these two are this package's own.
        Corruption("shift", "shift: share of the side", _shift, (1 / 32, 2 / 32, 3 / 32, 4 / 32, 5 / 32)),
        Corruption("rotation", "rotation: degrees", _rotation, (5, 10, 15, 20, 30)),
    )
}

#: The names of all corruptions, in the order of their rows.
CORRUPTIONS: Final = tuple(_CATALOG)

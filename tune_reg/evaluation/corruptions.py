"""Common corruptions at severities 1 to 5.

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
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.errors import StudyError, did_you_mean
from tune_reg.evaluation.noise import gaussian_noise, salt_and_pepper
from tune_reg.training.seeding import derive, generator

SEVERITIES: Final = (1, 2, 3, 4, 5)


def corrupt(images: Tensor, name: str, severity: int, seed: int = 0) -> Tensor:
    """Images under the corruption ``name`` of ``CORRUPTIONS`` at ``severity`` 1 to 5.

    ``images``: float [N, C, H, W] in [0, 1]; the result has the same shape, dtype and device. Raises ``StudyError``
    for an unknown name or severity.

    >>> corrupt(torch.rand(2, 3, 32, 32), "jpeg", severity=5).shape
    torch.Size([2, 3, 32, 32])
    """
    if name not in CORRUPTIONS:
        raise StudyError(f"unknown corruption {name!r}{did_you_mean(name, CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise StudyError(f"severity: must be one of 1, 2, 3, 4, 5, but got {severity!r}")
    function, parameters = _CATALOG[name]
    changed = function(images.cpu(), parameters[severity - 1], derive(seed, "corruption", name))
    return changed.clamp(0, 1).to(images)


def _shot_noise(images: Tensor, rate: float, seed: int) -> Tensor:
    """Photons counted: Poisson of mean ``rate x``, over ``rate``."""
    return torch.poisson(images * rate, generator=generator(seed, "shot", str(rate))) / rate


def _speckle_noise(images: Tensor, std: float, seed: int) -> Tensor:
    drawn = torch.randn(images.shape, generator=generator(seed, "speckle"), dtype=torch.float32)
    return images + images * std * drawn.to(images)


def _gaussian_blur(images: Tensor, std: float, _seed: int) -> Tensor:
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(images.numpy(), sigma=(0, 0, std, std), mode="nearest", truncate=4.0)
    return torch.from_numpy(blurred)


def _contrast(images: Tensor, factor: float, _seed: int) -> Tensor:
    """Towards the mean of each image's channel."""
    mean = images.mean((2, 3), keepdim=True)
    return mean + factor * (images - mean)


def _brightness(images: Tensor, more: float, _seed: int) -> Tensor:
    """V of hue, saturation and value is raised; a pixel's channels keep their proportions, black becomes grey."""
    value = images.amax(1, keepdim=True)
    raised = (value + more).clamp(max=1)
    return torch.where(value > 0, images * (raised / value.where(value > 0, 1)), raised)


def _pixelate(images: Tensor, scale: float, _seed: int) -> Tensor:
    """Down to ``int(scale side)`` pixels a side and up again, each by the mean over the area of a pixel."""
    from PIL import Image

    height, width = images.shape[2:]
    small = (max(1, int(width * scale)), max(1, int(height * scale)))
    changed = _bytes(images)
    for image in changed.reshape(-1, height, width):
        down = Image.fromarray(image).resize(small, Image.Resampling.BOX)
        image[:] = np.asarray(down.resize((width, height), Image.Resampling.BOX))
    return _floats(changed)


def _jpeg(images: Tensor, quality: float, _seed: int) -> Tensor:
    """Images of three channels as colours, else each channel as a grey image."""
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
    """By ``share`` of the side in a direction drawn for each image; black comes in, pixels between are bilinear."""
    angle = 2 * math.pi * torch.rand(len(images), generator=generator(seed, "direction"), dtype=torch.float64)
    matrix = torch.eye(2, 3, dtype=torch.float64).repeat(len(images), 1, 1)
    # The grid reaches from -1 to 1, so a side is 2 long.
    matrix[:, :, 2] = 2 * share * torch.stack([angle.cos(), angle.sin()], 1)
    return _moved(images, matrix)


def _rotation(images: Tensor, degrees: float, seed: int) -> Tensor:
    """About the centre, to the left or right as drawn for each image; black comes in, pixels between are bilinear."""
    left = torch.rand(len(images), generator=generator(seed, "direction"), dtype=torch.float64) < 0.5
    angle = math.radians(degrees) * torch.where(left, 1.0, -1.0).double()
    height, width = images.shape[2:]
    zero = torch.zeros_like(angle)
    # In the units of the grid, in which both sides are 2 long.
    rows = [
        torch.stack([angle.cos(), -angle.sin() * height / width, zero], 1),
        torch.stack([angle.sin() * width / height, angle.cos(), zero], 1),
    ]
    return _moved(images, torch.stack(rows, 1))


def _moved(images: Tensor, matrix: Tensor) -> Tensor:
    """Each image read at the places that its ``matrix`` [N, 2, 3] takes the pixels' own to."""
    grid = functional.affine_grid(matrix.to(images.dtype), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _bytes(images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ascontiguousarray((images * 255).round().to(torch.uint8).numpy())


def _floats(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(images).double() / 255


_Corruption = Callable[[Tensor, float, int], Tensor]

_CATALOG: Final[dict[str, tuple[_Corruption, tuple[float, float, float, float, float]]]] = {
    "gaussian-noise": (gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),  # standard deviation
    "shot-noise": (_shot_noise, (500, 250, 100, 75, 50)),  # photons of a white pixel
    "impulse-noise": (salt_and_pepper, (0.01, 0.02, 0.03, 0.05, 0.07)),  # share of the values
    "speckle-noise": (_speckle_noise, (0.06, 0.1, 0.12, 0.16, 0.2)),  # standard deviation, relative
    "gaussian-blur": (_gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),  # standard deviation in pixels
    "contrast": (_contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),  # what is left of it
    "brightness": (_brightness, (0.05, 0.1, 0.15, 0.2, 0.3)),  # added to V
    "pixelate": (_pixelate, (0.95, 0.9, 0.85, 0.75, 0.65)),  # pixels left, relative to the side
    "jpeg": (_jpeg, (80, 65, 58, 50, 40)),  # quality
    "shift": (_shift, (1 / 32, 2 / 32, 3 / 32, 4 / 32, 5 / 32)),  # of the side; ours
    "rotation": (_rotation, (5, 10, 15, 20, 30)),  # degrees; ours
}

#: The names, in the order of their rows.
CORRUPTIONS: Final = tuple(_CATALOG)

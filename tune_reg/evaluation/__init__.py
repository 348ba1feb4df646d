"""How good, how sure and how robust a trained network is.

The names are imported when they are first used: a study's settings need no foolbox.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tune_reg.evaluation.attacks import carlini_wagner, deepfool, fast_gradient, pgd
    from tune_reg.evaluation.battery import robustness
    from tune_reg.evaluation.calibration import expected_calibration_error, negative_log_likelihood
    from tune_reg.evaluation.confirmed import final_row, robustness_rows, validation_robustness
    from tune_reg.evaluation.corruptions import CORRUPTIONS, corrupt
    from tune_reg.evaluation.noise import gaussian_noise, salt_and_pepper, uniform_noise
    from tune_reg.evaluation.settings import LINF_RADII, RobustnessSettings

__all__ = [
    "CORRUPTIONS",
    "LINF_RADII",
    "RobustnessSettings",
    "carlini_wagner",
    "corrupt",
    "deepfool",
    "expected_calibration_error",
    "fast_gradient",
    "final_row",
    "gaussian_noise",
    "negative_log_likelihood",
    "pgd",
    "robustness",
    "robustness_rows",
    "salt_and_pepper",
    "uniform_noise",
    "validation_robustness",
]

_HOMES: Final = {
    "attacks": ("carlini_wagner", "deepfool", "fast_gradient", "pgd"),
    "battery": ("robustness",),
    "calibration": ("expected_calibration_error", "negative_log_likelihood"),
    "confirmed": ("final_row", "robustness_rows", "validation_robustness"),
    "corruptions": ("CORRUPTIONS", "corrupt"),
    "noise": ("gaussian_noise", "salt_and_pepper", "uniform_noise"),
    "settings": ("LINF_RADII", "RobustnessSettings"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"tune_reg.evaluation.{home}"), name)
    raise AttributeError(f"module 'tune_reg.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

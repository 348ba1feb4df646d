"""Evaluation of a trained network: accuracy, calibration, and robustness against attacks, noise and corruptions.

Importing the package does not import foolbox, which the first attack does.
"""

from tune_reg.evaluation.attacks import (
    ATTACKS,
    DistanceAttack,
    autoattack,
    carlini_wagner,
    deepfool,
    fast_gradient,
    pgd,
)
from tune_reg.evaluation.battery import robustness
from tune_reg.evaluation.calibration import expected_calibration_error, negative_log_likelihood
from tune_reg.evaluation.citations import citations
from tune_reg.evaluation.confirmed import final_row, robustness_rows, validation_robustness
from tune_reg.evaluation.corruptions import CORRUPTIONS, corrupt
from tune_reg.evaluation.noise import NOISES, gaussian_noise, salt_and_pepper, uniform_noise
from tune_reg.evaluation.settings import LINF_RADII, RobustnessSettings

__all__ = [
    "ATTACKS",
    "CORRUPTIONS",
    "LINF_RADII",
    "NOISES",
    "DistanceAttack",
    "RobustnessSettings",
    "autoattack",
    "carlini_wagner",
    "citations",
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

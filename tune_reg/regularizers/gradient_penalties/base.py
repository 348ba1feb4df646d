"""The base of the gradient penalties, and the hyperparameters that they have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Final

import torch
from torch import Tensor

import search_spaces.defaults.gradient_penalties
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.gradient_penalties.formulas import probe_count

THESIS: Final = """@thesis{noiseinjection2020,
  title = {Noise Injection and Gradient Regularization},
  type = {Bachelor's thesis},
  school = {Tokyo Institute of Technology},
  year = {2020}
}"""

STRENGTH: Final = Hyperparameter("strength", 1e-2, "lambda, the factor of the mean penalty", low=0.0, off=0.0)
ESTIMATOR: Final = Hyperparameter("estimator", "probe", "random probes, or exact", choices=("probe", "exact"))
PROBES: Final = Hyperparameter("probes", 1, "random probes a sample", low=1, high=1024, count=True)


class GradientPenaltyRegularizer(Regularizer):
    """The base of the gradient penalties: ``lambda`` times the batch mean of a penalty is added to the loss."""

    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = (STRENGTH, ESTIMATOR, PROBES)
    strength = "strength"
    space = search_spaces.defaults.gradient_penalties.DEFAULT
    paper = search_spaces.defaults.gradient_penalties.PAPER

    @staticmethod
    @abstractmethod
    def per_sample(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None) -> Tensor:
        """The penalty R of each sample: inputs [..., B, *], outputs [..., B, M], targets int64 [..., B] -> [..., B]."""

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """One number for each probe, sample and class, whose sign is used; None for an exact penalty."""
        if hook != "penalty" or self.choices.get("estimator") != "probe":
            return None
        return (probe_count(self.name, int(self.choices["probes"])), *shape)

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The penalty ``lambda mean R``."""
        del progress
        probes = None if noise is None else torch.where(noise < 0, -1.0, 1.0).to(noise.dtype)
        return strengths["strength"] * self.per_sample(inputs, outputs, targets, probes).mean(-1)

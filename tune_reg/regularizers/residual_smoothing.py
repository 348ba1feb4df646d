"""Residual smoothing: the residual is diffused over the classes before it is squared (Cho, Kwon and Hong 2019)."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn

import search_spaces.defaults.residual_smoothing
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register
from tune_reg.schedules import Real, laplace, logistic

ANNEALINGS: Final = ("laplace", "logistic", "constant")
OUTPUTS: Final = ("softmax", "raw")
ORIENTATIONS: Final = ("row", "column")
VARIANTS: Final = ("global", "local", "both")

REFERENCE: Final = """@article{cho2019adaptive,
  title = {Adaptive Regularization via Residual Smoothing in Deep Learning Optimization},
  author = {Cho, Junghee and Kwon, Junseok and Hong, Byung-Woo},
  journal = {IEEE Access},
  volume = {7},
  pages = {122889--122899},
  year = {2019},
  doi = {10.1109/ACCESS.2019.2938200}
}"""


def annealed(progress: Real, annealing: str, mu: Real, b: Real) -> Real:
    """The annealing factor s_t / s at ``progress``: 1 at the peak ``mu``, or 1 throughout for "constant"."""
    if annealing == "laplace":
        return laplace(mu, b)(progress)
    if annealing == "logistic":
        return logistic(mu, b)(progress)
    return progress * 0.0 + 1.0


def diffusivity(residual: Tensor, s: Tensor | float, alpha: Tensor | float) -> Tensor:
    """The diffusivity kappa: how much of each residual is exchanged with the other classes.

    ``kappa = s / (1 + exp(-alpha d~))``, ``d~ = (d - mean d) / (std d + 1e-8)`` over the classes of each sample
    (equations 10, 18 and 19; population standard deviation). alpha = 0 gives the global variant ``s / 2``.

    ``residual``: d [B, M] >= 0. Returns kappa [B, M].
    """
    std, mean = torch.std_mean(residual, dim=1, correction=0, keepdim=True)
    return s * torch.sigmoid(alpha * (residual - mean) / (std + 1e-8))


def smooth(residual: Tensor, kappa: Tensor, orientation: str = "row") -> Tensor:
    """The residual r after one smoothing layer (equation 22), computed without the M x M matrix.

    ``w_jj = 1 - kappa_j``, ``w_jk = kappa_j / (M - 1)`` for k != j. "row": ``r = W d``, so each r_j is an average
    of residuals; this is ``d + kappa M / (M - 1) (mean d - d)``. "column": ``r = W^T d``, which keeps the sum.

    ``residual``, ``kappa``: [B, M], M >= 2. Returns r [B, M].

    >>> smooth(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]]))
    tensor([[0.5000, 0.5000]])
    """
    classes = residual.shape[1]
    if orientation == "row":
        return residual + kappa * (classes / (classes - 1)) * (residual.mean(1, keepdim=True) - residual)
    sent = kappa * residual
    return residual + (classes / (classes - 1)) * (sent.mean(1, keepdim=True) - sent)


def residual_smoothing_loss(
    outputs: Tensor,
    targets: Tensor,
    s: Tensor | float,
    alpha: Tensor | float,
    *,
    output: str = "softmax",
    orientation: str = "row",
) -> Tensor:
    """The loss of residual smoothing, ``1/B sum_i |r_i|^2``: summed over classes, averaged over the batch.

    kappa is not differentiated: the paper chooses the regularity by the residual, then takes the step.

    ``outputs``: [B, M]; ``targets``: int64 [B]; ``s``: the diffusivity's scale. Returns a scalar.
    """
    prediction = torch.softmax(outputs, 1) if output == "softmax" else outputs
    labels = targets.unsqueeze(1) == torch.arange(outputs.shape[1], device=outputs.device)
    residual = (prediction - labels.to(outputs.dtype)).abs()
    kappa = diffusivity(residual.detach(), s, alpha)
    return smooth(residual, kappa, orientation).square().sum(1).mean()


@register
class ResidualSmoothingRegularizer(Regularizer):
    """Residual smoothing, global, local or both, under its own squared loss and with weight decay beside it.

    ``variant``: "both" anneals s over the training and adapts kappa to the residual; "global" is alpha = 0;
    "local" holds s constant, whatever the annealing. ``scale`` = 0 is plain mean squared error.
    """

    name = "residual-smoothing"
    formula = (
        "L = 1/B sum |r|^2, r = d + kappa M/(M-1) (mean d - d), d = |softmax(h) - y|, "
        "kappa = s_t / (1 + exp(-alpha d~))"
    )
    when = (
        "In place of cross-entropy, where mean squared error is a fair loss for the task. Compare it with weight "
        'decay under the loss "mse", too, to tell the smoothing from the loss.'
    )
    reference = REFERENCE
    hyperparameters = (
        Hyperparameter("b", 0.5, "width of the annealing, in shares of the training", low=1e-6),
        Hyperparameter("alpha", 1.0, "slope of the diffusivity; 0 is the global variant", low=0.0),
        Hyperparameter("mu", 0.75, "where the annealing peaks, in shares of the training", low=0.0, high=1.0),
        Hyperparameter("scale", 1.0, "s, the diffusivity's scale at the peak", low=0.0, off=0.0),
        Hyperparameter("weight_decay", 1e-4, "lambda of constant weight decay beside it", low=0.0, off=0.0),
        Hyperparameter("annealing", "laplace", "how s changes over the training", choices=ANNEALINGS),
        Hyperparameter("variant", "both", "which of annealing and residual shape kappa", choices=VARIANTS),
        Hyperparameter("output", "softmax", "what the residual is taken of", choices=OUTPUTS),
        Hyperparameter("orientation", "row", "the smoothing matrix or its transpose", choices=ORIENTATIONS),
    )
    strength = "b"
    space = search_spaces.defaults.residual_smoothing.DEFAULT
    paper = search_spaces.defaults.residual_smoothing.PAPER

    def loss(self, outputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The loss of residual smoothing, ``1/B sum_i |r_i|^2``."""
        return residual_smoothing_loss(
            outputs,
            targets,
            self.current_strength(strengths, progress),
            strengths["alpha"] * (self.choices["variant"] != "global"),
            output=self.choices["output"],
            orientation=self.choices["orientation"],
        )

    def weight_decay(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The coefficient ``lambda`` of weight decay."""
        del progress
        return strengths["weight_decay"]

    def current_strength(self, strengths: Strengths, progress: Progress) -> Tensor:
        """The annealed scale ``s_t`` of the diffusivity."""
        annealing = "constant" if self.choices["variant"] == "local" else self.choices["annealing"]
        return strengths["scale"] * annealed(progress.step, annealing, strengths["mu"], strengths["b"])


class ResidualSmoothingLoss(nn.Module):
    """The loss of residual smoothing, for any training loop: ``loss(outputs, targets, step) -> scalar``.

    ``total_steps``: optimizer steps of the whole training, T; the annealing is taken at step / T.
    ``annealing``: "laplace", "logistic" or "constant" (the local variant). ``mu``: where it peaks; ``b``: its
    width, both in shares of the training. ``alpha``: slope of the diffusivity; 0 is the global variant.
    ``scale``: s at the peak; 0 is plain mean squared error, summed over classes. ``output``: "softmax" takes the
    residual of probabilities, "raw" of the outputs. ``orientation``: the matrix of equation 22, or its transpose.

    outputs [B, M] with M >= 2, targets int64 [B], step in 0 .. T - 1. The diffusivity is not differentiated.

    Source: Cho, Kwon and Hong, IEEE Access 2019 (arXiv 1907.09750), equations 7, 10 and 18 to 22.

    >>> import torch
    >>> from tune_reg import ResidualSmoothingLoss
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> model = torch.nn.Linear(4, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-4)
    >>> inputs, targets = torch.randn(32, 4), torch.randint(3, (32,))
    >>> smoothing = ResidualSmoothingLoss(total_steps=20, annealing="laplace", b=0.5, alpha=1.0)
    >>> for step in range(20):
    ...     optimizer.zero_grad()
    ...     loss = smoothing(model(inputs), targets, step)
    ...     loss.backward()
    ...     optimizer.step()
    >>> bool(loss < 0.67)
    True
    """

    def __init__(
        self,
        total_steps: int,
        *,
        annealing: Literal["laplace", "logistic", "constant"] = "laplace",
        mu: float = 0.75,
        b: float = 0.5,
        alpha: float = 1.0,
        scale: float = 1.0,
        output: Literal["softmax", "raw"] = "softmax",
        orientation: Literal["row", "column"] = "row",
    ) -> None:
        super().__init__()
        if total_steps < 1:
            raise ValueError(f"total_steps >= 1 must hold, but got total_steps={total_steps}")
        values: dict[str, float | str] = {"mu": mu, "b": b, "alpha": alpha, "scale": scale}
        values |= {"annealing": annealing, "output": output, "orientation": orientation}
        for name, value in values.items():
            hyperparameter = ResidualSmoothingRegularizer.hyperparameter(name)
            assert hyperparameter is not None
            violation = hyperparameter.violation(value)
            if violation:
                raise ValueError(f"{name} {violation}")
        self.total_steps = total_steps
        self.annealing, self.mu, self.b, self.alpha, self.scale = annealing, mu, b, alpha, scale
        self.output, self.orientation = output, orientation

    def forward(self, outputs: Tensor, targets: Tensor, step: int) -> Tensor:
        """The loss of one batch at the optimizer step ``step``: scalar."""
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            raise ValueError(f"outputs must be [B, M] with M >= 2 classes, but got {list(outputs.shape)}")
        if targets.shape != outputs.shape[:1] or targets.is_floating_point():
            raise ValueError(
                f"targets must be whole numbers [{outputs.shape[0]}], but got {targets.dtype} {list(targets.shape)}"
            )
        s = self.scale * annealed(step / self.total_steps, self.annealing, self.mu, self.b)
        return residual_smoothing_loss(
            outputs, targets, s, self.alpha, output=self.output, orientation=self.orientation
        )

    def extra_repr(self) -> str:
        """The settings, for ``print``."""
        return (
            f"total_steps={self.total_steps}, annealing={self.annealing!r}, mu={self.mu}, b={self.b}, "
            f"alpha={self.alpha}, scale={self.scale}, output={self.output!r}, orientation={self.orientation!r}"
        )

"""Penalties on gradients by the images: the formulas for each sample, which the files of the penalties use.

Notation: logits g [..., B, M] of images x [..., B, *]; z = softmax(g); l = CE(z, y); J = dg/dx for each sample;
H = diag(z) - z z^T, the Hessian of l by g. Gradients are taken of sums over the batch, which gives the gradient of each
sample; with batch normalisation in training mode samples mix through the batch statistics, and this is not exact.

Exact forms cost a backward pass for each class. A probe costs one: for H = A A^T with A = diag(sqrt z) - z sqrt(z)^T
and e of independent signs, v = A e has E v v^T = H, so |J^T v|^2 is an unbiased estimate of Tr(J^T H J), and v stays
attached to the graph, so that its parameter gradient is unbiased too. (Labels drawn from the model are not: they
ignore that z depends on the parameters.)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor, nn

from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths

THESIS: Final = """@thesis{noiseinjection2020,
  title = {Noise Injection and Gradient Regularization},
  type = {Bachelor's thesis},
  school = {Tokyo Institute of Technology},
  year = {2020}
}"""

STRENGTH: Final = Hyperparameter("strength", 1e-2, "lambda, the factor of the mean penalty", low=0.0, off=0.0)
ESTIMATOR: Final = Hyperparameter("estimator", "probe", "random probes, or exact", choices=("probe", "exact"))
PROBES: Final = Hyperparameter("probes", 1, "random probes a sample", low=1, high=1024, count=True)


def db(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """Double backpropagation for each sample, ``|grad_x l|^2`` (equation 49): always exact, in one backward pass.

    inputs [..., B, *] that ``outputs`` [..., B, M] were computed of, targets int64 [..., B] -> [..., B].
    """
    del probes
    log_p = torch.log_softmax(outputs, -1)
    picked = log_p.gather(-1, targets.unsqueeze(-1))
    return _squared(_gradient(-picked.sum(), inputs), outputs)


def jac(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """The squared norm of the probabilities' Jacobian for each sample, ``|dz/dx|_F^2`` (equation 50): [..., B]."""
    del targets
    return _frobenius(torch.softmax(outputs, -1), inputs, probes)


def fob(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """The squared norm of the logits' Jacobian for each sample, ``|J|_F^2`` (equation 56): [..., B]."""
    del targets
    return _frobenius(outputs, inputs, probes)


def hsfob(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """The logits' Jacobian weighted by the Hessian for each sample, ``Tr(J^T H J)`` (equation 63): [..., B].

    ``Tr(J^T H J) = sum_c z_c |J_c|^2 - |J^T z|^2``, differentiated through H as well.
    """
    del targets
    z = torch.softmax(outputs, -1)
    if probes is None:
        rows = [_squared(_gradient(outputs[..., c].sum(), inputs), outputs) for c in range(outputs.shape[-1])]
        mean = _squared(_gradient(outputs, inputs, z), outputs)
        return (z * torch.stack(rows, -1)).sum(-1) - mean
    root = torch.exp(0.5 * torch.log_softmax(outputs, -1))  # the root of z itself has no gradient at 0
    estimates = []
    for e in probes:
        v = root * e - z * (root * e).sum(-1, keepdim=True)
        estimates.append(_squared(_gradient(outputs, inputs, v), outputs))
    return torch.stack(estimates).mean(0)


def hsfob_db1(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """The sum of ``hsfob`` and ``db`` for each sample, ``Tr(J^T H J) + |grad_x l|^2`` (equation 65): [..., B]."""
    return hsfob(inputs, outputs, targets, probes) + db(inputs, outputs, targets)


def hsfob_db2(inputs: Tensor, outputs: Tensor, targets: Tensor, probes: Tensor | None = None) -> Tensor:
    """The sum of the square of ``hsfob`` and ``db`` for each sample, ``Tr(J^T H J)^2 + |grad_x l|^2`` (equation 66).

    With probes the square is the product of two independent halves of them, since the square of an estimate is not an
    estimate of the square.
    """
    if probes is None:
        squared = hsfob(inputs, outputs, targets).square()
    else:
        one, other = probes.chunk(2)
        squared = hsfob(inputs, outputs, targets, one) * hsfob(inputs, outputs, targets, other)
    return squared + db(inputs, outputs, targets)


Kind = Literal["db", "jac", "fob", "hsfob", "hsfob-db1", "hsfob-db2"]
PENALTIES: Final[dict[str, Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]]] = {
    "db": db,
    "jac": jac,
    "fob": fob,
    "hsfob": hsfob,
    "hsfob-db1": hsfob_db1,
    "hsfob-db2": hsfob_db2,
}


def probe_count(kind: str, probes: int) -> int:
    """The number of random vectors of ``probes`` probes: none for db, twice as many where a square is estimated."""
    return {"db": 0, "hsfob-db2": 2 * probes}.get(kind, probes)


class GradientPenaltyRegularizer(Regularizer):
    """The base of the gradient penalties: ``lambda`` times the batch mean of a penalty is added to the loss."""

    strength = "strength"

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


class GradientPenalty(nn.Module):
    """A loss with a penalty on input gradients, for any training loop: ``penalty(model, inputs, targets) -> scalar``.

    The scalar is ``mean CE + strength mean R``. ``kind``: "db" ``|grad_x l|^2``, "jac" ``|dz/dx|_F^2``, "fob"
    ``|J|_F^2``, "hsfob" ``Tr(J^T H J)``, "hsfob-db1" ``Tr(J^T H J) + |grad_x l|^2``, "hsfob-db2"
    ``Tr(J^T H J)^2 + |grad_x l|^2``; no halves anywhere. ``probes``: None is exact, at a backward pass a class;
    k >= 1 is an unbiased estimate from k random probes a sample, drawn from torch's global generator ("db" needs
    none). ``model`` maps inputs [B, *] to logits [B, M]; targets int64 [B].

    Source: thesis on noise injection and gradient regularisation (2020), equations 49, 50, 56, 63, 65 and 66.

    >>> import torch
    >>> from tune_reg import GradientPenalty
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    >>> inputs, targets = torch.randn(32, 4), torch.randint(3, (32,))
    >>> penalty = GradientPenalty("hsfob", strength=0.1, probes=1)
    >>> for _ in range(20):
    ...     optimizer.zero_grad()
    ...     loss = penalty(model, inputs, targets)
    ...     loss.backward()
    ...     _ = optimizer.step()
    >>> bool(loss < 1.2)
    True
    """

    def __init__(self, kind: Kind, *, strength: float, probes: int | None = None) -> None:
        super().__init__()
        if kind not in PENALTIES:
            raise ValueError(f"kind must be one of {', '.join(PENALTIES)}, but got {kind!r}")
        if not strength >= 0:
            raise ValueError(f"strength >= 0 must hold, but got strength={strength}")
        if probes is not None and (not isinstance(probes, int) or probes < 1):
            raise ValueError(f"probes must be None (exact) or a whole number >= 1, but got {probes!r}")
        self.kind, self.strength, self.probes = kind, strength, probes

    def forward(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch, ``mean CE + strength mean R``: scalar."""
        inputs, outputs = self._outputs(model, inputs)
        penalty = self._penalty_of(inputs, outputs, targets).mean()
        return nn.functional.cross_entropy(outputs, targets) + self.strength * penalty

    def per_sample(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The penalty R of each sample, differentiable by the parameters: [B]."""
        return self._penalty_of(*self._outputs(model, inputs), targets)

    def extra_repr(self) -> str:
        """The settings, for ``print``."""
        return f"kind={self.kind!r}, strength={self.strength}, probes={self.probes}"

    def _outputs(self, model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            inputs = inputs.detach().requires_grad_()
            return inputs, model(inputs)

    def _penalty_of(self, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        count = 0 if self.probes is None else probe_count(self.kind, self.probes)
        probes = None
        if count:
            shape = (count, *outputs.shape)
            probes = torch.randint(0, 2, shape, device=outputs.device).to(outputs.dtype).mul_(2).sub_(1)
        with torch.enable_grad():
            return PENALTIES[self.kind](inputs, outputs, targets, probes)


def _gradient(value: Tensor, inputs: Tensor, weights: Tensor | None = None) -> Tensor:
    (gradient,) = torch.autograd.grad(value, inputs, weights, create_graph=True)
    return gradient


def _squared(gradient: Tensor, outputs: Tensor) -> Tensor:
    """The squared norm of each sample's gradient: lanes and batch, the leading axes of ``outputs``, stay."""
    return gradient.flatten(outputs.ndim - 1).square().sum(-1)


def _frobenius(values: Tensor, inputs: Tensor, probes: Tensor | None) -> Tensor:
    """The squared Frobenius norm of each sample's Jacobian of ``values`` by ``inputs``, exact or by probes."""
    if probes is None:
        rows = [_squared(_gradient(values[..., c].sum(), inputs), values) for c in range(values.shape[-1])]
        return torch.stack(rows).sum(0)
    return torch.stack([_squared(_gradient(values, inputs, e), values) for e in probes]).mean(0)

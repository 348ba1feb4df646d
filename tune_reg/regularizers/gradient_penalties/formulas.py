"""Penalties on gradients by the images: the formulas for each sample.

Notation: logits g [..., B, M] of images x [..., B, *]; z = softmax(g); l = CE(z, y); J = dg/dx for each sample;
H = diag(z) - z z^T, the Hessian of l by g. Gradients are taken of sums over the batch, which gives the gradient of each
sample; with batch normalisation in training mode samples mix through the batch statistics, and this is not exact.

Exact forms cost a backward pass for each class. A probe costs one: for H = A A^T with A = diag(sqrt z) - z sqrt(z)^T
and e of independent signs, v = A e has E v v^T = H, so |J^T v|^2 is an unbiased estimate of Tr(J^T H J), and v stays
attached to the graph, so that its parameter gradient is unbiased too. (Labels drawn from the model are not: they
ignore that z depends on the parameters.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor


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

"""The drop-in form of the gradient penalties: a loss for any training loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tune_reg.regularizers.gradient_penalties.formulas import PENALTIES, Kind, probe_count


class GradientPenalty(nn.Module):
    """A loss with a penalty on input gradients, for any training loop: ``penalty(model, inputs, targets) -> scalar``.

    The scalar is ``mean CE + strength mean R``. ``kind``: "db" ``|grad_x l|^2``, "jac" ``|dz/dx|_F^2``, "fob"
    ``|J|_F^2``, "hsfob" ``Tr(J^T H J)``, "hsfob-db1" ``Tr(J^T H J) + |grad_x l|^2``, "hsfob-db2"
    ``Tr(J^T H J)^2 + |grad_x l|^2``; no halves anywhere. ``probes``: None is exact, at a backward pass a class;
    k >= 1 is an unbiased estimate from k random probes a sample, drawn from torch's global generator ("db" needs
    none). ``model`` maps inputs [B, ...] to logits [B, M]; targets int64 [B].

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
